import { MailCheck } from "lucide-react";
import { type ReactNode, useState } from "react";
import { LanguageChoice, Mark } from "@/components/brand";
import { Dialog } from "@/components/dialog";
import { Field, Form, Problem, text } from "@/components/form";
import { say } from "@/components/toast";
import { t } from "@/i18n";
import { go, link, useRoute } from "@/lib/route";
import { client } from "@/lib/queries";
import { Refused, forgot, leave, reset, signIn, signUp } from "@/lib/session";
import type { Me } from "@/lib/types";

/** Pages for those who are not signed in. */
export function SignIn({ name }: { name: string }) {
  const { page, id } = useRoute();
  return (
    <div className="flex min-h-full flex-col">
      <main className="flex flex-1 flex-col items-center justify-center px-4 py-10">
        <div className="mb-6 flex items-center gap-3 text-2xl font-semibold">
          <Mark size={44} />
          <span>{name}</span>
        </div>
        <div className="card w-full max-w-sm p-6 shadow-sm">
          {page === "sign-up" ? <Up /> : page === "forgot" ? <Forgotten /> : page === "reset" && id ? <Reset token={id} /> : <In />}
        </div>
      </main>
      <footer className="flex justify-center p-6">
        <LanguageChoice />
      </footer>
    </div>
  );
}

function Heading({ children }: { children: ReactNode }) {
  return <h1 className="mb-5 text-xl font-semibold">{children}</h1>;
}

/** Over what is there: the session has ended in the middle of something. */
export function SignInAgain() {
  const email = client.getQueryData<Me>(["me"])?.email ?? undefined;
  return (
    <Dialog title={t("session_over")}>
      <p className="mb-4 text-muted">{t("session_over_text")}</p>
      <In email={email} bare />
      <button type="button" className="button button-ghost mt-3 w-full" onClick={leave}>
        {t("sign_out")}
      </button>
    </Dialog>
  );
}

function In({ email, bare = false }: { email?: string | undefined; bare?: boolean }) {
  const [given, setGiven] = useState<{ email: string; password: string }>();
  if (given) {
    return (
      <>
        {!bare && <Heading>{t("second_step")}</Heading>}
        <Form key="code" onSend={async (fields) => signIn(given.email, given.password, text(fields, "code").trim())}>
          {({ busy, problem }) => (
            <>
              <p className="text-muted">{t("second_step_hint")}</p>
              <Field label={t("code")} name="code" autoComplete="one-time-code" required autoFocus />
              <Problem text={problem} />
              <button type="submit" className="button button-primary" disabled={busy}>
                {t("sign_in")}
              </button>
              <button type="button" className="button button-ghost" onClick={() => setGiven(undefined)}>
                {t("back")}
              </button>
            </>
          )}
        </Form>
      </>
    );
  }
  return (
    <>
      {!bare && <Heading>{t("sign_in")}</Heading>}
      <Form
        // Of its own, so that no field of it becomes one for the code, with what is in it.
        key="password"
        onSend={async (fields) => {
          const wanted = { email: text(fields, "email").trim(), password: text(fields, "password") };
          try {
            await signIn(wanted.email, wanted.password);
          } catch (error) {
            if (!(error instanceof Refused && error.code === "totp_required")) throw error;
            setGiven(wanted);
          }
        }}
      >
        {({ busy, problem }) => (
          <>
            <Field label={t("email")} name="email" type="email" autoComplete="username" defaultValue={email} required />
            <Field label={t("password")} name="password" type="password" autoComplete="current-password" required autoFocus={email !== undefined} />
            <Problem text={problem} />
            <button type="submit" className="button button-primary" disabled={busy}>
              {t("sign_in")}
            </button>
            {!bare && (
              <div className="flex flex-wrap justify-between gap-2 text-sm">
                <a className="font-medium text-primary underline underline-offset-2" href={link("sign-up")}>
                  {t("make_account")}
                </a>
                <a className="font-medium text-primary underline underline-offset-2" href={link("forgot")}>
                  {t("forgotten")}
                </a>
              </div>
            )}
          </>
        )}
      </Form>
    </>
  );
}

function Up() {
  const [proving, setProving] = useState(false);
  if (proving) return <Posted title={t("prove_title")}>{t("prove_text")}</Posted>;
  return (
    <>
      <Heading>{t("make_account")}</Heading>
      <Form
        onSend={async (fields) => {
          const wanted = { name: text(fields, "name").trim(), email: text(fields, "email").trim(), password: text(fields, "password") };
          if (await signUp(wanted)) setProving(true);
          else go(link("files"), true);
        }}
      >
        {({ busy, problem }) => (
          <>
            <Field label={t("name")} name="name" autoComplete="name" required maxLength={100} />
            <Field label={t("email")} name="email" type="email" autoComplete="username" required />
            <Field label={t("password")} name="password" type="password" autoComplete="new-password" required minLength={8} hint={t("password_hint")} />
            <Problem text={problem} />
            <button type="submit" className="button button-primary" disabled={busy}>
              {t("make_account")}
            </button>
            <BackToSignIn />
          </>
        )}
      </Form>
    </>
  );
}

function Forgotten() {
  const [sent, setSent] = useState(false);
  if (sent) return <Posted title={t("reset_sent_title")}>{t("reset_sent_text")}</Posted>;
  return (
    <>
      <Heading>{t("forgotten")}</Heading>
      <Form
        onSend={async (fields) => {
          await forgot(text(fields, "email").trim());
          setSent(true);
        }}
      >
        {({ busy, problem }) => (
          <>
            <p className="text-muted">{t("forgotten_text")}</p>
            <Field label={t("email")} name="email" type="email" autoComplete="username" required />
            <Problem text={problem} />
            <button type="submit" className="button button-primary" disabled={busy}>
              {t("send_link")}
            </button>
            <BackToSignIn />
          </>
        )}
      </Form>
    </>
  );
}

function Reset({ token }: { token: string }) {
  return (
    <>
      <Heading>{t("password_new")}</Heading>
      <Form
        onSend={async (fields) => {
          await reset(token, text(fields, "password"));
          say(t("password_set"));
          go(link("sign-in"), true);
        }}
      >
        {({ busy, problem }) => (
          <>
            <Field label={t("password_new")} name="password" type="password" autoComplete="new-password" required minLength={8} hint={t("password_hint")} />
            <Problem text={problem} />
            <button type="submit" className="button button-primary" disabled={busy}>
              {t("change_password")}
            </button>
            <BackToSignIn />
          </>
        )}
      </Form>
    </>
  );
}

function Posted({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="grid justify-items-center gap-3 text-center">
      <MailCheck size={40} className="text-primary" aria-hidden />
      <h1 className="text-xl font-semibold">{title}</h1>
      <p className="text-muted">{children}</p>
      <BackToSignIn />
    </div>
  );
}

function BackToSignIn() {
  return (
    <a className="text-center text-sm font-medium text-primary underline underline-offset-2" href={link("sign-in")}>
      {t("back_to_sign_in")}
    </a>
  );
}
