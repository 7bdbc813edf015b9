import { useState } from "react";
import { ApiError, api, take } from "@/api/client";
import { type Session, begin } from "@/api/queries";
import { Refusal } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";

/**
 * Address, password, and a code where the account asks for one. The answer's
 * token is left where it is: the cookie holds the session.
 */
export function SignInForm({ email: given = "", done }: { email?: string; done: (session: Session) => void }) {
  const [email, setEmail] = useState(given);
  const [password, setPassword] = useState("");
  const [code, setCode] = useState("");
  const [needsCode, setNeedsCode] = useState(false);
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();

  return (
    <form
      className="grid gap-4"
      onSubmit={async (event) => {
        event.preventDefault();
        event.stopPropagation();
        setPending(true);
        setError(undefined);
        try {
          const answer = await take(
            api.POST("/admin/v1/session", { body: { email, password, ...(code ? { totp_code: code.trim() } : {}) } }),
          );
          done(begin(answer));
        } catch (failure) {
          const asks = failure instanceof ApiError && failure.code.startsWith("totp_required");
          if (asks && !needsCode) setNeedsCode(true);
          else setError(failure);
        } finally {
          setPending(false);
        }
      }}
    >
      <Field label="Email">
        <Input
          type="email"
          name="email"
          autoComplete="username"
          required
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
      </Field>
      <Field label="Password">
        <Input
          type="password"
          name="password"
          autoComplete="current-password"
          required
          value={password}
          onChange={(event) => setPassword(event.target.value)}
        />
      </Field>
      {needsCode && (
        <Field label="Code" help="From your authenticator, or one of your recovery codes.">
          <Input
            name="code"
            autoComplete="one-time-code"
            // oxlint-disable-next-line jsx-a11y/no-autofocus
            autoFocus
            required
            value={code}
            onChange={(event) => setCode(event.target.value)}
          />
        </Field>
      )}
      <Refusal error={error} />
      <Button type="submit" variant="primary" pending={pending}>
        Sign in
      </Button>
    </form>
  );
}
