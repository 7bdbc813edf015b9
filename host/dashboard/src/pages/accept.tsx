import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api, take } from "@/api/client";
import { begin } from "@/api/queries";
import { Refusal } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Entrance } from "@/shell/entrance";

/** Takes an invitation up. Its token stands behind `#`, which no server sees. */
export function Accept() {
  const navigate = useNavigate();
  const [token, setToken] = useState(() => decodeURIComponent(location.hash.slice(1)));
  const [password, setPassword] = useState("");
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <Entrance title="You are invited" description="Choose a password, and you are an admin of this platform.">
      <form
        className="grid gap-4"
        onSubmit={async (event) => {
          event.preventDefault();
          setPending(true);
          setError(undefined);
          try {
            const answer = await take(api.POST("/admin/v1/invitations/accept", { body: { token, password } }));
            begin(answer);
            await navigate({ to: "/projects" });
          } catch (failure) {
            setError(failure);
          } finally {
            setPending(false);
          }
        }}
      >
        <Field label="Invitation">
          <Input required value={token} autoComplete="off" onChange={(event) => setToken(event.target.value.trim())} />
        </Field>
        <Field label="Password" help="At least 8 characters.">
          <Input
            type="password"
            required
            minLength={8}
            autoComplete="new-password"
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
        <Refusal error={error} />
        <Button type="submit" variant="primary" pending={pending}>
          Accept the invitation
        </Button>
      </form>
    </Entrance>
  );
}
