import { useQuery } from "@tanstack/react-query";
import { KeyRound, Mail, ShieldOff, Trash2, UserX } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { type Schemas, api, take } from "@/api/client";
import { type User, queryClient } from "@/api/queries";
import { useAction } from "@/lib/use-action";
import { Confirm } from "./confirm";
import { Failure, Loading, Refusal } from "./states";
import { CopyButton, When } from "./text";
import { Badge, Dot } from "./ui/badge";
import { Button } from "./ui/button";
import { Checkbox } from "./ui/checkbox";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Field } from "./ui/field";
import { Input } from "./ui/input";
import { Switch } from "./ui/switch";
import { rolesQuery } from "./user-queries";
import { UserSessions } from "./user-sessions";

export function RoleChoice({ project, value, change }: { project: string; value: string[]; change: (roles: string[]) => void }) {
  const { data } = useQuery(rolesQuery(project));
  const names = [...new Set([...(data?.items.map((role) => role.name) ?? ["admin", "editor", "viewer"]), ...value])];
  return (
    <fieldset>
      <legend className="mb-1.5 text-[0.8125rem] font-medium">Roles</legend>
      <div className="flex flex-wrap gap-x-5 gap-y-2">
        {names.map((name) => (
          <label key={name} className="flex cursor-pointer items-center gap-2 text-sm">
            <Checkbox
              checked={value.includes(name)}
              onCheckedChange={(checked) => change(checked ? [...value, name] : value.filter((other) => other !== name))}
            />
            {name}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

function Edit({ project, user, saved }: { project: string; user: User; saved: (user: User) => void }) {
  // What was not typed here follows what somebody else has changed.
  const [typed, setTyped] = useState<Partial<Pick<User, "email" | "name" | "handle" | "roles" | "email_verified">>>({});
  const { email, name, handle, roles, email_verified: verified } = { ...user, ...typed };
  const set = (part: typeof typed) => setTyped((old) => ({ ...old, ...part }));
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <form
      className="grid gap-4"
      onSubmit={async (event) => {
        event.preventDefault();
        setPending(true);
        setError(undefined);
        try {
          const { name: called, handle: known, ...rest } = typed;
          const body: Schemas["UserChange"] = {
            ...rest,
            ...(called === undefined ? {} : { name: called || null }),
            ...(known === undefined ? {} : { handle: known || null }),
          };
          saved(await take(api.PATCH("/admin/v1/projects/{project}/users/{id}", { params: { path: { project, id: user.id } }, body })));
          setTyped({});
          toast.success("Saved");
        } catch (failure) {
          setError(failure);
        } finally {
          setPending(false);
        }
      }}
    >
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label="Email">
          <Input type="email" required value={email} onChange={(event) => set({ email: event.target.value })} />
        </Field>
        <Field label="Name">
          <Input value={name ?? ""} onChange={(event) => set({ name: event.target.value })} />
        </Field>
        <Field label="Handle">
          <Input value={handle ?? ""} onChange={(event) => set({ handle: event.target.value })} />
        </Field>
        <div className="flex items-center gap-2 self-end pb-2 text-sm">
          <Switch aria-label="The address is proven" checked={verified} onCheckedChange={(email_verified) => set({ email_verified })} /> The address is proven
        </div>
      </div>
      <RoleChoice project={project} value={roles} change={(next) => set({ roles: next })} />
      <Refusal error={error} />
      <div>
        <Button type="submit" variant="primary" pending={pending}>
          Save
        </Button>
      </div>
    </form>
  );
}

/** One user: who it is, what it may, and what an admin can do about it. */
export function UserSheet({ project, id, close }: { project: string; id: string; close: () => void }) {
  const path = { project, id };
  const key = ["project", project, "users", "one", id];
  const { data: user, error, refetch } = useQuery({
    queryKey: key,
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/users/{id}", { params: { path }, signal })),
  });
  const passwords = useQuery({
    queryKey: [...key, "app-passwords"],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/users/{id}/app-passwords", { params: { path }, signal })),
  });
  const { pending, run } = useAction();
  const [asking, setAsking] = useState<"delete" | "totp" | "disable">();
  const [revoking, setRevoking] = useState<{ id: string; name: string }>();
  const changed = async (next?: User) => {
    if (next) queryClient.setQueryData(key, next);
    await queryClient.invalidateQueries({ queryKey: ["project", project, "users"] });
  };
  const disable = (disabled: boolean) =>
    run(
      async () => changed(await take(api.PATCH("/admin/v1/projects/{project}/users/{id}", { params: { path }, body: { disabled } }))),
      disabled ? "Shut out; all sessions have ended" : "Let in again",
    );
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent side title={user?.name || user?.email || "User"} description={user ? user.email : "Loading"}>
        {error && !user ? (
          <Failure error={error} retry={() => void refetch()} />
        ) : !user ? (
          <Loading />
        ) : (
          <div className="grid gap-6">
            <div className="flex flex-wrap items-center gap-2">
              {user.disabled_at ? (
                <Badge tone="bad">
                  <Dot tone="bad" /> shut out
                </Badge>
              ) : (
                <Badge tone="good">
                  <Dot tone="good" /> active
                </Badge>
              )}
              <Badge tone={user.email_verified ? "good" : "plain"}>{user.email_verified ? "address proven" : "address unproven"}</Badge>
              <Badge tone={user.totp_enabled ? "good" : "plain"}>{user.totp_enabled ? "second factor" : "no second factor"}</Badge>
              <span className="flex items-center text-xs text-muted">
                <code>{user.id}</code>
                <CopyButton text={user.id} label="Copy the id" />
              </span>
            </div>
            <p className="text-xs text-muted">
              Joined <When at={user.created_at} />, last changed <When at={user.updated_at} />
            </p>
            <Edit project={project} user={user} saved={(next) => void changed(next)} />
            <UserSessions project={project} id={user.id} email={user.email} />
            <section>
              <h3 className="mb-2 text-[0.8125rem] font-medium">App passwords</h3>
              {passwords.error && !passwords.data ? (
                <Failure error={passwords.error} retry={() => void passwords.refetch()} />
              ) : !passwords.data ? (
                <Loading rows={1} />
              ) : passwords.data.items.length === 0 ? (
                <p className="text-[0.8125rem] text-muted">This user has made none.</p>
              ) : (
                <ul className="rounded-md border border-border">
                  {passwords.data.items.map((one) => (
                    <li key={one.id} className="flex items-center gap-3 border-b border-border px-3 py-2 text-sm last:border-0">
                      <KeyRound className="size-4 text-muted" aria-hidden />
                      <span className="min-w-0 flex-1 truncate">{one.name}</span>
                      <span className="text-xs text-muted">
                        used <When at={one.last_used_at} />
                      </span>
                      <Button size="sm" variant="ghost" aria-label={`Revoke ${one.name}`} onClick={() => setRevoking(one)}>
                        Revoke
                      </Button>
                    </li>
                  ))}
                </ul>
              )}
            </section>
            <section>
              <h3 className="mb-2 text-[0.8125rem] font-medium">Actions</h3>
              <div className="flex flex-wrap gap-2">
                <Button
                  pending={pending}
                  onClick={() =>
                    void run(
                      () => take(api.POST("/admin/v1/projects/{project}/users/{id}/invite", { params: { path }, body: {} })),
                      "The invitation is on its way",
                    )
                  }
                >
                  <Mail aria-hidden /> Send an invitation
                </Button>
                {user.totp_enabled && (
                  <Button onClick={() => setAsking("totp")}>
                    <ShieldOff aria-hidden /> Reset the second factor
                  </Button>
                )}
                {user.disabled_at ? (
                  <Button onClick={() => void disable(false)}>Let in again</Button>
                ) : (
                  <Button onClick={() => setAsking("disable")}>
                    <UserX aria-hidden /> Shut out
                  </Button>
                )}
                <Button variant="danger" onClick={() => setAsking("delete")}>
                  <Trash2 aria-hidden /> Delete…
                </Button>
              </div>
            </section>
            <Confirm
              open={revoking !== undefined}
              onOpenChange={(open) => !open && setRevoking(undefined)}
              title={`Revoke “${revoking?.name ?? ""}”?`}
              action="Revoke it"
              run={async () => {
                if (!revoking) return;
                await take(
                  api.DELETE("/admin/v1/projects/{project}/users/{id}/app-passwords/{password}", {
                    params: { path: { ...path, password: revoking.id } },
                  }),
                );
                await passwords.refetch();
              }}
            >
              <p>The program that signs in with it is shut out at once, and asks its user for another.</p>
            </Confirm>
            <Confirm
              open={asking === "disable"}
              onOpenChange={(open) => !open && setAsking(undefined)}
              title={`Shut ${user.email} out?`}
              action="Shut out"
              run={async () => void (await disable(true))}
            >
              <p>All sessions end at once, and none can be begun until you let this user in again. Nothing is deleted.</p>
            </Confirm>
            <Confirm
              open={asking === "totp"}
              onOpenChange={(open) => !open && setAsking(undefined)}
              title="Reset the second factor?"
              action="Reset it"
              run={async () => {
                await take(api.DELETE("/admin/v1/projects/{project}/users/{id}/totp", { params: { path } }));
                await changed();
                toast.success("The password alone signs in now");
              }}
            >
              <p>Be sure who asks for it: afterwards the password alone is enough.</p>
            </Confirm>
            <Confirm
              open={asking === "delete"}
              onOpenChange={(open) => !open && setAsking(undefined)}
              title={`Delete ${user.email}?`}
              action="Delete the user"
              typed={user.email}
              run={async () => {
                await take(api.DELETE("/admin/v1/projects/{project}/users/{id}", { params: { path } }));
                toast.success("The user is deleted");
                close();
                await changed();
              }}
            >
              <p>The account and all its sessions are gone for good. What plugins keep for the user they deal with themselves.</p>
            </Confirm>
          </div>
        )}
      </DialogContent>
    </DialogRoot>
  );
}
