import { useInfiniteQuery } from "@tanstack/react-query";
import { Download, FileX, Lock, UploadCloud } from "lucide-react";
import { useEffect, useState } from "react";
import { LanguageChoice, Mark } from "@/components/brand";
import { Field, Form, Problem, text, useDoing } from "@/components/form";
import { More } from "@/components/more";
import { Empty, Failed, Waiting } from "@/components/states";
import { t } from "@/i18n";
import { explain } from "@/lib/explain";
import { bytes, whole } from "@/lib/format";
import { iconOf } from "@/lib/kind";
import { at } from "@/lib/place";
import { pages } from "@/lib/queries";
import { Refused, refusal } from "@/lib/refused";
import type { Page } from "@/lib/types";

interface Shown {
  kind: "file" | "folder";
  filename: string;
  permission: "read" | "upload";
  size?: number;
  mime_type?: string;
  expires_at: string | null;
}

interface Inside {
  id: string;
  path: string;
  size: number;
  mime_type: string;
}

/** What a link is for, for whoever has it; nobody needs an account. */
export default function SharedLink({ token, name }: { token: string; name: string }) {
  const [password, setPassword] = useState("");
  const [shown, setShown] = useState<Shown>();
  const [state, setState] = useState<"loading" | "locked" | "gone" | "open">("loading");
  const [problem, setProblem] = useState<string>();
  const path = `/share/${encodeURIComponent(token)}`;

  const ask = async (more: string, given: string) => {
    const response = await fetch(at(path + more), { credentials: "omit", headers: given ? { "share-password": encodeURIComponent(given) } : {} });
    if (!response.ok) throw await refusal(response);
    return response;
  };
  const open = async (given: string) => {
    const found = (await (await ask("", given)).json()) as Shown;
    setPassword(given);
    setShown(found);
    setState("open");
  };
  const inside = useInfiniteQuery({
    queryKey: ["link", token, password],
    enabled: shown?.kind === "folder" && shown.permission === "read",
    queryFn: async ({ pageParam }) => {
      const query = new URLSearchParams({ limit: "200", ...(pageParam ? { cursor: pageParam } : {}) });
      return (await (await ask(`/files?${query}`, password)).json()) as Page<Inside>;
    },
    ...pages,
    select: ({ pages: all }) => all.flatMap(({ items }) => items),
  });
  useEffect(() => {
    open("").catch((error: unknown) => {
      if (error instanceof Refused && (error.status === 401 || error.status === 403)) setState("locked");
      else {
        setState("gone");
        setProblem(error instanceof Refused && error.status === 404 ? undefined : explain(error));
      }
    });
    // oxlint-disable-next-line react/exhaustive-deps
  }, [token]);

  return (
    <div className="flex min-h-full flex-col">
      <header className="flex items-center gap-3 px-4 py-3 text-lg font-semibold">
        <Mark size={34} />
        {name}
      </header>
      <main className="mx-auto flex w-full max-w-xl flex-1 flex-col justify-center px-4 py-6">
        {state === "loading" && <Waiting />}
        {state === "gone" && (
          <Empty icon={<FileX size={30} aria-hidden />} title={t("link_gone")}>
            {problem ?? t("link_gone_text")}
          </Empty>
        )}
        {state === "locked" && (
          <div className="card p-6">
            <h1 className="mb-4 flex items-center gap-2 text-xl font-semibold">
              <Lock size={20} aria-hidden />
              {t("link_locked")}
            </h1>
            <Form onSend={async (fields) => open(text(fields, "password")).catch((error: unknown) => {
              throw error instanceof Refused && (error.status === 401 || error.status === 403) ? new Error(t("error_link_password")) : error;
            })}>
              {({ busy, problem: refused }) => (
                <>
                  <Field label={t("password")} name="password" type="password" autoComplete="off" required autoFocus />
                  <Problem text={refused} />
                  <button type="submit" className="button button-primary" disabled={busy}>
                    {t("open")}
                  </button>
                </>
              )}
            </Form>
          </div>
        )}
        {state === "open" && shown && <Opened path={path} password={password} shown={shown} inside={inside.data} />}
        {inside.isError && <Failed error={inside.error} again={() => void (inside.data ? inside.fetchNextPage() : inside.refetch())} />}
        <More on={inside.hasNextPage && !inside.isError} more={() => void inside.fetchNextPage()} />
      </main>
      <footer className="flex justify-center p-6">
        <LanguageChoice />
      </footer>
    </div>
  );
}

/** A form, so that the password stands in no address. */
function Fetch({ path, password, file, label, className }: { path: string; password: string; file?: string; label: string; className: string }) {
  const query = new URLSearchParams({ disposition: "attachment", ...(file ? { file } : {}) });
  return (
    <form method="post" action={at(`${path}/download?${query}`)}>
      <input type="hidden" name="password" value={password} />
      <button type="submit" className={className} aria-label={label}>
        <Download size={18} aria-hidden />
        {file ? null : t("download")}
      </button>
    </form>
  );
}

function Opened({ path, password, shown, inside }: { path: string; password: string; shown: Shown; inside: Inside[] | undefined }) {
  const { Icon, colour } = iconOf(shown.mime_type ?? "");
  return (
    <div className="card overflow-hidden">
      <div className="flex flex-col items-center gap-3 p-8 text-center">
        {shown.kind === "file" && <Icon size={56} strokeWidth={1.3} className={colour} aria-hidden />}
        <h1 className="text-xl font-semibold [overflow-wrap:anywhere]">{shown.filename}</h1>
        <p className="text-muted">
          {[shown.size === undefined ? undefined : bytes(shown.size), shown.expires_at ? t("ends", { when: whole(shown.expires_at) }) : undefined]
            .filter(Boolean)
            .join(" · ")}
        </p>
        {shown.permission === "upload" ? (
          <Give path={path} password={password} />
        ) : (
          <Fetch path={path} password={password} label={t("download_of", { name: shown.filename })} className="button button-primary" />
        )}
      </div>
      {inside && (
        <ul className="divide-y divide-border border-t border-border" aria-label={t("files_and_folders")}>
          {inside.map((file) => {
            const { Icon: Sign, colour: look } = iconOf(file.mime_type);
            return (
              <li key={file.id} className="flex items-center gap-3 py-1 pr-2 pl-4">
                <Sign size={22} className={look} aria-hidden />
                <span className="min-w-0 flex-1 truncate" title={file.path}>
                  {file.path}
                </span>
                <span className="text-sm text-muted">{bytes(file.size)}</span>
                <Fetch path={path} password={password} file={file.id} label={t("download_of", { name: file.path })} className="icon-button" />
              </li>
            );
          })}
        </ul>
      )}
    </div>
  );
}

function Give({ path, password }: { path: string; password: string }) {
  const [given, setGiven] = useState<string[]>([]);
  const { busy, problem, run } = useDoing();
  const send = (files: File[]) =>
    run(async () => {
      for (const file of files) {
        // One after the other: each may be large.
        // oxlint-disable-next-line no-await-in-loop
        const response = await fetch(at(`${path}/upload`), {
          method: "POST",
          credentials: "omit",
          headers: { "file-path": encodeURIComponent(file.name), ...(password ? { "share-password": encodeURIComponent(password) } : {}) },
          body: file,
        });
        // oxlint-disable-next-line no-await-in-loop
        if (!response.ok) throw await refusal(response);
        setGiven((before) => [...before, file.name]);
      }
    });
  return (
    <>
      <p>{t("give_text")}</p>
      <label className={`button button-primary ${busy ? "opacity-60" : ""}`}>
        <UploadCloud size={18} aria-hidden />
        {busy ? t("loading") : t("upload_files")}
        <input
          type="file"
          multiple
          className="sr-only"
          disabled={busy}
          onChange={(event) => {
            const files = [...(event.target.files ?? [])];
            event.target.value = "";
            void send(files);
          }}
        />
      </label>
      <Problem text={problem} />
      <ul aria-live="polite">
        {given.map((name, place) => (
          // Two may have the same name.
          // oxlint-disable-next-line react/no-array-index-key
          <li key={place} className="text-good">
            {t("given", { name })}
          </li>
        ))}
      </ul>
    </>
  );
}
