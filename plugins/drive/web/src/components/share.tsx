import { useQuery } from "@tanstack/react-query";
import { Copy, Link2, Trash2, UserPlus } from "lucide-react";
import { useId, useState } from "react";
import { type Key, t, tn } from "@/i18n";
import { call } from "@/lib/api";
import { whole } from "@/lib/format";
import { pageAt } from "@/lib/place";
import { client } from "@/lib/queries";
import { link } from "@/lib/route";
import type { Entry, Page, Permission, Role, ShareLink } from "@/lib/types";
import { Avatar } from "./avatar";
import { Dialog } from "./dialog";
import { Field, Form, Problem, text, useDoing } from "./form";
import { Failed } from "./states";
import { say } from "./toast";

const roles: [Role, Key][] = [
  ["viewer", "role_viewer"],
  ["editor", "role_editor"],
  ["admin", "role_admin"],
];

/** Who may see it: people of the project, and whoever has a link. */
export function ShareDialog({ entry, close }: { entry: Entry; close: () => void }) {
  const path = entry.kind === "file" ? `/files/${entry.id}` : `/folders/${entry.id}`;
  return (
    <Dialog title={t("share_title", { name: entry.name })} onClose={close}>
      <People path={path} />
      <hr className="my-5 border-border" />
      <Links path={path} isFolder={entry.kind === "folder"} />
    </Dialog>
  );
}

function People({ path }: { path: string }) {
  const key = ["roles", path];
  const people = useQuery({ queryKey: key, queryFn: async () => call<Page<Permission>>("GET", `${path}/permissions`, { params: { limit: 100 } }) });
  const { problem, run } = useDoing();
  const select = useId();
  const again = async () => client.invalidateQueries({ queryKey: key });
  const give = async (who: Record<string, string>, role: string) => {
    await call("POST", `${path}/permissions`, { json: { ...who, role } });
    await again();
  };
  return (
    <section aria-label={t("people")}>
      <h3 className="mb-2 font-semibold">{t("people")}</h3>
      <Form
        onSend={async (fields) => {
          const who = text(fields, "who").trim();
          await give(/.@./.test(who) ? { email: who } : { handle: who.replace(/^@/, "") }, text(fields, "role"));
          const input = document.querySelector<HTMLInputElement>("input[name=who]");
          if (input) input.value = "";
        }}
      >
        {({ busy, problem: refused }) => (
          <>
            <Field label={t("email_or_handle")} name="who" required autoComplete="off" />
            <div className="flex items-end gap-2">
              <div className="flex-1">
                <label htmlFor={select} className="mb-1 block text-sm font-medium">
                  {t("may")}
                </label>
                <select id={select} name="role" className="field" defaultValue="viewer">
                  {roles.map(([role, label]) => (
                    <option key={role} value={role}>
                      {t(label)}
                    </option>
                  ))}
                </select>
              </div>
              <button type="submit" className="button button-primary" disabled={busy}>
                <UserPlus size={18} aria-hidden />
                {t("invite")}
              </button>
            </div>
            <Problem text={refused} />
          </>
        )}
      </Form>
      <Problem text={problem} />
      {people.isError && <Failed error={people.error} again={() => void people.refetch()} />}
      <ul className="mt-3" aria-label={t("people")}>
        {people.data?.items.map((person) => {
          const name = person.name ?? person.handle ?? person.user_id;
          return (
            <li key={person.id} className="flex items-center gap-3 py-1.5">
              <Avatar id={person.user_id} name={name} has={null} size={32} />
              <span className="min-w-0 flex-1 truncate">{name}</span>
              <select
                aria-label={t("role_of", { name })}
                className="rounded-lg border border-input bg-panel px-2 py-1.5"
                value={person.role}
                onChange={(event) => void run(async () => give({ user: person.user_id }, event.target.value))}
              >
                {roles.map(([role, label]) => (
                  <option key={role} value={role}>
                    {t(label)}
                  </option>
                ))}
              </select>
              <button
                type="button"
                className="icon-button"
                aria-label={t("remove_person", { name })}
                onClick={() =>
                  void run(async () => {
                    await call("DELETE", `${path}/permissions/${person.user_id}`);
                    await again();
                  })
                }
              >
                <Trash2 size={18} aria-hidden />
              </button>
            </li>
          );
        })}
      </ul>
    </section>
  );
}

function Links({ path, isFolder }: { path: string; isFolder: boolean }) {
  const key = ["links", path];
  const links = useQuery({ queryKey: key, queryFn: async () => call<Page<ShareLink>>("GET", `${path}/share`, { params: { limit: 100 } }) });
  const [made, setMade] = useState<string>();
  const { problem, run } = useDoing();
  const select = useId();
  const [today] = useState(() => new Date().toISOString().slice(0, 10));
  const again = async () => client.invalidateQueries({ queryKey: key });
  const copy = async (address: string) => {
    try {
      await navigator.clipboard.writeText(address);
      say(t("link_copied"));
    } catch {
      // It can be chosen by hand.
    }
  };
  return (
    <section aria-label={t("links")}>
      <h3 className="mb-2 font-semibold">{t("links")}</h3>
      {made && (
        <div className="mb-4 rounded-xl bg-good-soft p-3">
          <label className="block text-sm font-medium text-good">
            {t("link_ready")}
            <span className="mt-1 flex gap-2">
              <input className="field" readOnly value={made} onFocus={(event) => event.target.select()} />
              <button type="button" className="button" aria-label={t("copy_link")} onClick={() => void copy(made)}>
                <Copy size={18} aria-hidden />
              </button>
            </span>
          </label>
        </div>
      )}
      <Form
        onSend={async (fields) => {
          const day = text(fields, "until");
          const most = Number.parseInt(text(fields, "most"), 10);
          const shared = await call<ShareLink>("POST", `${path}/share`, {
            json: {
              permission: text(fields, "permission") || "read",
              // The whole of the day, where one is.
              expires_at: day ? new Date(`${day}T23:59:59`).toISOString() : null,
              password: text(fields, "password") || null,
              max_downloads: Number.isNaN(most) ? null : most,
            },
          });
          const address = pageAt(link("s", shared.token));
          setMade(address);
          await copy(address);
          await again();
        }}
      >
        {({ busy, problem: refused }) => (
          <>
            <div className="grid gap-4 sm:grid-cols-2">
              {isFolder && (
                <div className="sm:col-span-2">
                  <label htmlFor={select} className="mb-1 block text-sm font-medium">
                    {t("may")}
                  </label>
                  <select id={select} name="permission" className="field">
                    <option value="read">{t("link_read")}</option>
                    <option value="upload">{t("link_upload")}</option>
                  </select>
                </div>
              )}
              <Field label={t("link_until")} name="until" type="date" min={today} />
              <Field label={t("link_most")} name="most" type="number" min={1} step={1} inputMode="numeric" />
              <div className="sm:col-span-2">
                <Field label={t("link_password")} name="password" type="password" autoComplete="new-password" />
              </div>
            </div>
            <Problem text={refused} />
            <button type="submit" className="button" disabled={busy}>
              <Link2 size={18} aria-hidden />
              {t("make_link")}
            </button>
          </>
        )}
      </Form>
      <Problem text={problem} />
      {links.isError && <Failed error={links.error} again={() => void links.refetch()} />}
      <ul className="mt-3 divide-y divide-border" aria-label={t("links")}>
        {links.data?.items.map((one) => (
          <li key={one.id} className="flex items-center gap-3 py-2">
            <Link2 size={18} className="text-muted" aria-hidden />
            <span className="min-w-0 flex-1 text-sm">
              <span className="block">{t("link_made", { when: whole(one.created_at) })}</span>
              <span className="block text-muted">
                {[
                  one.permission === "upload" ? t("link_upload") : tn("downloads", one.downloads),
                  one.has_password && t("with_password"),
                  one.expires_at && t("ends", { when: whole(one.expires_at) }),
                ]
                  .filter(Boolean)
                  .join(" · ")}
              </span>
            </span>
            <button
              type="button"
              className="icon-button"
              aria-label={t("end_link", { when: whole(one.created_at) })}
              onClick={() =>
                void run(async () => {
                  await call("DELETE", `${path}/share/${one.id}`);
                  await again();
                })
              }
            >
              <Trash2 size={18} aria-hidden />
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}
