import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { toast } from "sonner";
import { type Schemas, api, take } from "@/api/client";
import { begin, queryClient, sessionQuery } from "@/api/queries";
import { PageHeader } from "@/components/page";
import { Loading, Note, Refusal } from "@/components/states";
import { Code, Secret } from "@/components/text";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader } from "@/components/ui/card";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";

function Password() {
  const [password, setPassword] = useState("");
  const [next, setNext] = useState("");
  const [again, setAgain] = useState("");
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <Card>
      <CardHeader title="Password" description="Changing it ends all other sessions of yours." />
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          if (next !== again) {
            setError(new Error("the two new passwords are not the same"));
            return;
          }
          setPending(true);
          setError(undefined);
          try {
            begin(await take(api.PUT("/admin/v1/session/password", { body: { password, new_password: next } })));
            toast.success("The password is changed");
            setPassword("");
            setNext("");
            setAgain("");
          } catch (failure) {
            setError(failure);
          } finally {
            setPending(false);
          }
        }}
      >
        <CardBody className="grid max-w-md gap-4">
          <Field label="Present password">
            <Input type="password" required autoComplete="current-password" value={password} onChange={(event) => setPassword(event.target.value)} />
          </Field>
          <Field label="New password">
            <Input type="password" required minLength={8} autoComplete="new-password" value={next} onChange={(event) => setNext(event.target.value)} />
          </Field>
          <Field label="New password again">
            <Input type="password" required autoComplete="new-password" value={again} onChange={(event) => setAgain(event.target.value)} />
          </Field>
          <Refusal error={error} />
          <div>
            <Button type="submit" variant="primary" pending={pending}>
              Change the password
            </Button>
          </div>
        </CardBody>
      </form>
    </Card>
  );
}

function SecondFactor({ admin }: { admin: Schemas["AdminAccountView"] }) {
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [enrolment, setEnrolment] = useState<Schemas["EnrolmentView"]>();
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  const act = async (action: () => Promise<unknown>) => {
    setPending(true);
    setError(undefined);
    try {
      await action();
    } catch (failure) {
      setError(failure);
    } finally {
      setPending(false);
    }
  };
  const refresh = () => queryClient.invalidateQueries({ queryKey: ["admins"] });
  return (
    <Card>
      <CardHeader
        title="Second factor"
        description="A code of an authenticator, asked for besides the password."
        actions={<Badge tone={admin.totp_enabled ? "good" : "warn"}>{admin.totp_enabled ? "on" : "off"}</Badge>}
      />
      <CardBody className="grid max-w-xl gap-4">
        {enrolment ? (
          <form
            className="grid gap-4"
            onSubmit={(event) => {
              event.preventDefault();
              void act(async () => {
                await take(api.POST("/admin/v1/session/totp/verify", { body: { code: code.trim() } }));
                toast.success("The second factor is on");
                setEnrolment(undefined);
                setCode("");
                await refresh();
              });
            }}
          >
            <p className="text-sm text-muted">Scan this with your authenticator, or type the secret into it.</p>
            <img
              alt="The secret as a QR code"
              className="size-44 rounded-md bg-white p-2"
              src={`data:image/svg+xml;charset=utf-8,${encodeURIComponent(enrolment.qr_svg)}`}
            />
            <Secret text={enrolment.secret} label="authenticator secret" />
            <Note tone="warn">Keep the recovery codes where you find them without your phone. Each works once; they are shown only now.</Note>
            <Code text={enrolment.recovery_codes.join("\n")} label="Copy the recovery codes" />
            <Field label="Code that the authenticator shows">
              <Input required inputMode="numeric" autoComplete="one-time-code" value={code} onChange={(event) => setCode(event.target.value)} />
            </Field>
            <Refusal error={error} />
            <div className="flex gap-2">
              <Button type="submit" variant="primary" pending={pending}>
                Switch it on
              </Button>
              <Button onClick={() => setEnrolment(undefined)}>Not now</Button>
            </div>
          </form>
        ) : (
          <form
            className="grid gap-4"
            onSubmit={(event) => {
              event.preventDefault();
              void act(async () => {
                if (admin.totp_enabled) {
                  begin(await take(api.DELETE("/admin/v1/session/totp", { body: { password, ...(code ? { totp_code: code.trim() } : {}) } })));
                  toast.success("The second factor is off, and all other sessions of yours have ended");
                  await refresh();
                } else setEnrolment(await take(api.POST("/admin/v1/session/totp", { body: { password } })));
                setPassword("");
                setCode("");
              });
            }}
          >
            <Field label="Your password">
              <Input type="password" required autoComplete="current-password" value={password} onChange={(event) => setPassword(event.target.value)} />
            </Field>
            {admin.totp_enabled && (
              <Field label="Code" help="Of the authenticator, or a recovery code.">
                <Input required autoComplete="one-time-code" value={code} onChange={(event) => setCode(event.target.value)} />
              </Field>
            )}
            <Refusal error={error} />
            <div>
              <Button type="submit" variant={admin.totp_enabled ? "danger" : "primary"} pending={pending}>
                {admin.totp_enabled ? "Switch it off" : "Set it up"}
              </Button>
            </div>
          </form>
        )}
      </CardBody>
    </Card>
  );
}

export function Account() {
  const { data: session } = useQuery(sessionQuery);
  const id = session?.admin.id;
  const { data: admin } = useQuery({
    queryKey: ["admins", id],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/admins/{id}", { params: { path: { id: id ?? "" } }, signal })),
    enabled: Boolean(id),
  });
  return (
    <>
      <PageHeader
        title="Your account"
        description={session?.admin.email ?? "You came with the development token: it has no account."}
        badge={session && <Badge>{session.admin.role}</Badge>}
      />
      {id && (
        <div className="grid gap-4">
          {admin ? <SecondFactor admin={admin} /> : <Loading />}
          {admin?.has_password !== false && <Password />}
        </div>
      )}
    </>
  );
}
