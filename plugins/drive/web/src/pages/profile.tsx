import { useQuery } from "@tanstack/react-query";
import { Camera, Copy, ShieldCheck, Trash2 } from "lucide-react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { Avatar } from "@/components/avatar";
import { LanguageChoice } from "@/components/brand";
import { Dialog } from "@/components/dialog";
import { Field, Form, Problem, text, useDoing } from "@/components/form";
import { QuotaBar } from "@/components/quota";
import { Failed, Waiting } from "@/components/states";
import { Title } from "@/components/title";
import { complain, say } from "@/components/toast";
import { t } from "@/i18n";
import { ask, call } from "@/lib/api";
import { deviceIn } from "@/lib/device";
import { whole } from "@/lib/format";
import { client, useMe } from "@/lib/queries";
import { changePassword, signOut } from "@/lib/session";
import { currentTheme, setTheme } from "@/lib/theme";
import type { Me, Page } from "@/lib/types";

const again = async () => client.invalidateQueries({ queryKey: ["me"] });

export default function ProfilePage() {
  const me = useMe();
  return (
    <>
      <Title>{t("profile")}</Title>
      {me.isError ? (
        <Failed error={me.error} again={() => void me.refetch()} />
      ) : me.data ? (
        <div className="grid max-w-2xl grid-cols-1 gap-5 px-4 pb-8 md:px-6">
          <About me={me.data} />
          <Card title={t("storage")}>
            <QuotaBar />
          </Card>
          <Card title={t("appearance")}>
            <Appearance />
          </Card>
          <Card title={t("password")}>
            <Password />
          </Card>
          <Card title={t("second_factor")}>
            <SecondFactor me={me.data} />
          </Card>
          <Card title={t("sessions")}>
            <Sessions />
          </Card>
        </div>
      ) : (
        <Waiting />
      )}
    </>
  );
}

function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="card p-5" aria-label={title}>
      <h2 className="mb-4 font-semibold">{title}</h2>
      {children}
    </section>
  );
}

function About({ me }: { me: Me }) {
  const input = useRef<HTMLInputElement>(null);
  const { busy, problem, run } = useDoing();
  const set = (image: File) =>
    run(async () => {
      const form = new FormData();
      form.set("avatar", image);
      await ask("POST", "/v1/auth/me/avatar", { body: form });
      await again();
    });
  return (
    <Card title={t("about_me")}>
      <div className="mb-5 flex items-center gap-4">
        <Avatar id={me.id} name={me.name ?? me.email} has={me.avatar} size={80} />
        <div className="flex flex-wrap gap-2">
          <input
            ref={input}
            type="file"
            accept="image/png,image/jpeg,image/webp,image/gif"
            hidden
            data-testid="avatar"
            onChange={(event) => {
              const [image] = event.target.files ?? [];
              event.target.value = "";
              if (image) void set(image);
            }}
          />
          <button type="button" className="button" disabled={busy} onClick={() => input.current?.click()}>
            <Camera size={18} aria-hidden />
            {t("picture")}
          </button>
          {me.avatar && (
            <button
              type="button"
              className="icon-button"
              aria-label={t("remove_picture")}
              onClick={() =>
                void run(async () => {
                  await call("DELETE", "/v1/auth/me/avatar");
                  await again();
                })
              }
            >
              <Trash2 size={18} aria-hidden />
            </button>
          )}
        </div>
      </div>
      <Problem text={problem} />
      <Form
        onSend={async (fields) => {
          await call("PUT", "/v1/auth/me", {
            json: { name: text(fields, "name").trim() || null, handle: text(fields, "handle").trim().replace(/^@/, "") || null, bio: text(fields, "bio").trim() || null },
          });
          await again();
          say(t("saved"));
        }}
      >
        {({ busy: sending, problem: refused }) => (
          <>
            <Field label={t("name")} name="name" defaultValue={me.name ?? ""} autoComplete="name" maxLength={100} />
            <Field label={t("handle")} name="handle" defaultValue={me.handle ?? ""} maxLength={32} hint={t("handle_hint")} />
            <Field label={t("bio")} name="bio" defaultValue={me.bio ?? ""} maxLength={500} />
            <p className="text-sm text-muted">
              {t("email")}: {me.email}
            </p>
            <Problem text={refused} />
            <button type="submit" className="button button-primary justify-self-start" disabled={sending}>
              {t("save")}
            </button>
          </>
        )}
      </Form>
    </Card>
  );
}

function Appearance() {
  const [theme, set] = useState(currentTheme);
  return (
    <div className="flex flex-wrap items-center gap-4">
      <LanguageChoice />
      <div role="radiogroup" aria-label={t("theme")} className="flex gap-1 rounded-xl bg-raised p-1">
        {(["system", "light", "dark"] as const).map((name) => (
          <button
            key={name}
            type="button"
            role="radio"
            aria-checked={theme === name}
            className={`rounded-lg px-3 py-1.5 text-sm font-medium ${theme === name ? "bg-panel shadow-sm" : "text-muted"}`}
            onClick={() => {
              setTheme(name);
              set(name);
            }}
          >
            {t(`theme_${name}`)}
          </button>
        ))}
      </div>
    </div>
  );
}

function Password() {
  return (
    <Form
      onSend={async (fields) => {
        await changePassword(text(fields, "current"), text(fields, "password"));
        say(t("password_changed"));
      }}
    >
      {({ busy, problem }) => (
        <>
          <Field label={t("password_now")} name="current" type="password" autoComplete="current-password" required />
          <Field label={t("password_new")} name="password" type="password" autoComplete="new-password" minLength={8} required hint={t("password_hint")} />
          <Problem text={problem} />
          <button type="submit" className="button justify-self-start" disabled={busy}>
            {t("change_password")}
          </button>
        </>
      )}
    </Form>
  );
}

interface Enrolment {
  secret: string;
  qr_svg: string;
  recovery_codes: string[];
}

function SecondFactor({ me }: { me: Me }) {
  const [enrolment, setEnrolment] = useState<Enrolment>();
  const [ending, setEnding] = useState(false);
  const { busy, problem, run } = useDoing();
  return (
    <>
      <p className="mb-4 text-muted">{me.totp_enabled ? t("factor_on") : t("factor_off")}</p>
      <Problem text={problem} />
      {me.totp_enabled ? (
        <button type="button" className="button button-bad" onClick={() => setEnding(true)}>
          {t("factor_remove")}
        </button>
      ) : (
        <button
          type="button"
          className="button"
          disabled={busy}
          onClick={() => void run(async () => setEnrolment(await call<Enrolment>("POST", "/v1/auth/totp/enroll")))}
        >
          <ShieldCheck size={18} aria-hidden />
          {t("factor_add")}
        </button>
      )}
      {enrolment && <Enrol enrolment={enrolment} close={() => setEnrolment(undefined)} />}
      {ending && (
        <Dialog title={t("factor_remove")} onClose={() => setEnding(false)}>
          <Form
            onSend={async (fields) => {
              await call("DELETE", "/v1/auth/totp", { json: { code: text(fields, "code").trim() } });
              setEnding(false);
              await again();
            }}
          >
            {({ busy: sending, problem: refused }) => (
              <>
                <Field label={t("code")} name="code" autoComplete="one-time-code" required autoFocus />
                <Problem text={refused} />
                <button type="submit" className="button button-bad" disabled={sending}>
                  {t("factor_remove")}
                </button>
              </>
            )}
          </Form>
        </Dialog>
      )}
    </>
  );
}

function Enrol({ enrolment, close }: { enrolment: Enrolment; close: () => void }) {
  const [done, setDone] = useState(false);
  const [code, setCode] = useState<string>();
  useEffect(() => {
    const url = URL.createObjectURL(new Blob([enrolment.qr_svg], { type: "image/svg+xml" }));
    setCode(url);
    return () => URL.revokeObjectURL(url);
  }, [enrolment]);
  const codes = enrolment.recovery_codes;
  if (done) {
    return (
      <Dialog
        title={t("recovery_title")}
        onClose={close}
        footer={
          <>
            <button type="button" className="button" onClick={() => void navigator.clipboard.writeText(codes.join("\n")).then(() => say(t("copied")), complain)}>
              <Copy size={18} aria-hidden />
              {t("copy")}
            </button>
            <button type="button" className="button button-primary" onClick={close}>
              {t("kept_them")}
            </button>
          </>
        }
      >
        <p className="mb-3 text-muted">{t("recovery_text")}</p>
        <ul className="grid grid-cols-2 gap-2 rounded-xl bg-raised p-4 font-mono text-sm" aria-label={t("recovery_title")}>
          {codes.map((one) => (
            <li key={one}>{one}</li>
          ))}
        </ul>
      </Dialog>
    );
  }
  return (
    <Dialog title={t("factor_add")} onClose={close}>
      <p className="mb-3 text-muted">{t("factor_scan")}</p>
      {code && <img src={code} alt={t("qr")} className="mx-auto mb-3 size-48 rounded-xl bg-white p-2" />}
      <p className="mb-4 text-center text-sm">
        {t("factor_secret")} <code className="font-mono [overflow-wrap:anywhere]">{enrolment.secret}</code>
      </p>
      <Form
        onSend={async (fields) => {
          await call("POST", "/v1/auth/totp/verify", { json: { code: text(fields, "code").trim() } });
          await again();
          setDone(true);
        }}
      >
        {({ busy, problem }) => (
          <>
            <Field label={t("code")} name="code" inputMode="numeric" autoComplete="one-time-code" required maxLength={10} />
            <Problem text={problem} />
            <button type="submit" className="button button-primary" disabled={busy}>
              {t("confirm")}
            </button>
          </>
        )}
      </Form>
    </Dialog>
  );
}

interface Session {
  id: string;
  user_agent: string | null;
  refreshed_at: string;
  current: boolean;
}

function Sessions() {
  const sessions = useQuery({ queryKey: ["me", "sessions"], queryFn: async () => call<Page<Session>>("GET", "/v1/auth/sessions") });
  const end = async (id: string) => {
    await call("DELETE", `/v1/auth/sessions/${id}`);
    await again();
  };
  return (
    <>
      <ul className="mb-4 divide-y divide-border" aria-label={t("sessions")}>
        {sessions.data?.items.map((session) => (
          <li key={session.id} className="flex items-center gap-3 py-2">
            <span className="min-w-0 flex-1">
              <span className="block truncate" title={session.user_agent ?? ""}>
                {deviceIn(session.user_agent) ?? t("unknown_device")}
              </span>
              <span className="text-sm text-muted">{session.current ? t("this_session") : whole(session.refreshed_at)}</span>
            </span>
            {!session.current && (
              <button type="button" className="button button-ghost button-bad min-h-9" onClick={() => void end(session.id).catch(complain)}>
                {t("end")}
              </button>
            )}
          </li>
        ))}
      </ul>
      <button type="button" className="button" onClick={() => void signOut(true).catch(complain)}>
        {t("sign_out_everywhere")}
      </button>
    </>
  );
}
