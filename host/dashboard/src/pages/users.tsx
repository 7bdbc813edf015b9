import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { ShieldCheck, UserPlus, Users as UsersIcon, X } from "lucide-react";
import { useEffect, useMemo, useState } from "react";
import { toast } from "sonner";
import { type Schemas, api, reason, take } from "@/api/client";
import { type User, queryClient } from "@/api/queries";
import { AuthPanel } from "@/components/auth-settings";
import { Changed } from "@/components/changed";
import { Confirm } from "@/components/confirm";
import { type Col, DataTable } from "@/components/data-table";
import { PageHeader } from "@/components/page";
import { Empty, Failure, Loading, Note, Refusal } from "@/components/states";
import { When } from "@/components/text";
import { Badge, Dot } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardHeader } from "@/components/ui/card";
import { Checkbox } from "@/components/ui/checkbox";
import { DialogContent, DialogRoot } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { Tab, TabPanel, Tabs, TabsList } from "@/components/ui/tabs";
import { permissionsQuery, rolesQuery } from "@/components/user-queries";
import { RoleChoice, UserSheet } from "@/components/user-sheet";
import { useCursorPages, useWords } from "@/lib/pages";
import { isOvertaken, made, refused, useOvertaken } from "@/lib/tags";
import { useProject } from "@/lib/use-project";

function NewUser({ project, close, done }: { project: string; close: () => void; done: (user: User) => void }) {
  const [email, setEmail] = useState("");
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [how, setHow] = useState("invite");
  const [roles, setRoles] = useState(["editor"]);
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent title="New user">
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              const user = await take(
                api.POST("/admin/v1/projects/{project}/users", {
                  params: { path: { project } },
                  body: { email, roles, ...(name ? { name } : {}), ...(how === "password" ? { password, email_verified: true } : {}) },
                }),
              );
              await queryClient.invalidateQueries({ queryKey: ["project", project, "users"] });
              close();
              done(user);
              if (how === "invite") {
                try {
                  await take(
                    api.POST("/admin/v1/projects/{project}/users/{id}/invite", { params: { path: { project, id: user.id } }, body: {} }),
                  );
                  toast.success(`An invitation is on its way to ${email}`);
                } catch (failure) {
                  toast.error(`${email} is a user now, but the invitation was not sent. ${reason(failure)}`);
                }
              } else toast.success(`${email} is a user now`);
            } catch (failure) {
              setError(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          <Field label="Email">
            <Input type="email" required autoComplete="off" value={email} onChange={(event) => setEmail(event.target.value)} />
          </Field>
          <Field label="Name">
            <Input autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />
          </Field>
          <Field label="First sign-in">
            <Select value={how} onChange={(event) => setHow(event.target.value)}>
              <option value="invite">By an invitation that is mailed</option>
              <option value="password">With a password that you set</option>
              <option value="none">Later: tell nobody yet</option>
            </Select>
          </Field>
          {how === "password" && (
            <Field label="Password">
              <Input
                type="password"
                required
                minLength={8}
                autoComplete="new-password"
                value={password}
                onChange={(event) => setPassword(event.target.value)}
              />
            </Field>
          )}
          <RoleChoice project={project} value={roles} change={setRoles} />
          <Refusal error={error} />
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" variant="primary" pending={pending}>
              Create user
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}

function List({ project }: { project: string }) {
  const [words, change] = useWords<"q" | "role" | "user" | "pages">();
  const [text, setText] = useState(words.q ?? "");
  const { cursor, pager } = useCursorPages();
  const [creating, setCreating] = useState(false);
  const { data: roles } = useQuery(rolesQuery(project));
  const query = { limit: 50, ...(words.q ? { q: words.q } : {}), ...(words.role ? { role: words.role } : {}), ...(cursor ? { cursor } : {}) };
  const { data, error, refetch, isPlaceholderData } = useQuery({
    queryKey: ["project", project, "users", query],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/users", { params: { path: { project }, query }, signal })),
    placeholderData: keepPreviousData,
  });
  useEffect(() => {
    if (text === (words.q ?? "")) return undefined;
    const timer = setTimeout(() => change({ q: text || undefined, pages: undefined }, { replace: true }), 250);
    return () => clearTimeout(timer);
  });
  const columns = useMemo<Col<User>[]>(
    () => [
      {
        id: "email",
        head: "User",
        sort: (user) => user.email,
        cell: (user) => (
          <button type="button" className="group block max-w-72 text-left" onClick={() => change({ user: user.id })}>
            <span className="block truncate font-medium group-hover:underline" title={user.email}>
              {user.email}
            </span>
            <span className="block truncate text-xs text-muted">{[user.name, user.handle && `@${user.handle}`].filter(Boolean).join(" · ")}</span>
          </button>
        ),
      },
      {
        id: "state",
        head: "State",
        sort: (user) => (user.disabled_at ? "shut out" : "active"),
        cell: (user) =>
          user.disabled_at ? (
            <Badge tone="bad">
              <Dot tone="bad" /> shut out
            </Badge>
          ) : (
            <Badge tone="good">
              <Dot tone="good" /> active
            </Badge>
          ),
      },
      {
        id: "roles",
        head: "Roles",
        cell: (user) => (
          <span className="flex flex-wrap gap-1">
            {user.roles.map((role) => (
              <Badge key={role}>{role}</Badge>
            ))}
          </span>
        ),
      },
      { id: "proven", head: "Address", wide: true, cell: (user) => (user.email_verified ? "proven" : <span className="text-muted">unproven</span>) },
      {
        id: "totp",
        head: "Second factor",
        wide: true,
        cell: (user) => (user.totp_enabled ? "on" : <span className="text-muted">off</span>),
      },
      { id: "joined", head: "Joined", wide: true, sort: (user) => user.created_at, cell: (user) => <When at={user.created_at} /> },
    ],
    [change],
  );
  const create = (
    <Button variant="primary" onClick={() => setCreating(true)}>
      <UserPlus aria-hidden /> New user
    </Button>
  );
  return (
    <>
      <Card>
        <div className="flex flex-wrap items-center gap-2 border-b border-border p-3">
          <Input
            type="search"
            aria-label="Search users"
            placeholder="Address or handle begins with…"
            className="w-full sm:w-72"
            value={text}
            onChange={(event) => setText(event.target.value)}
          />
          <Select
            aria-label="Role"
            className="w-40"
            value={words.role ?? ""}
            onChange={(event) => change({ role: event.target.value || undefined, pages: undefined })}
          >
            <option value="">All roles</option>
            {roles?.items.map((role) => (
              <option key={role.name}>{role.name}</option>
            ))}
          </Select>
          <span className="ml-auto">{create}</span>
        </div>
        <DataTable
          sortWord="by"
          label="Users"
          columns={columns}
          rows={data?.items}
          error={error}
          retry={() => void refetch()}
          stale={isPlaceholderData}
          rowKey={(user) => user.id}
          pager={pager(data?.next_cursor)}
          empty={
            words.q || words.role ? (
              <Empty icon={UsersIcon} title="No user is like that" />
            ) : (
              <Empty icon={UsersIcon} title="No users yet" action={create}>
                They come when an app signs them up, or when you invite them.
              </Empty>
            )
          }
        />
      </Card>
      {creating && <NewUser project={project} close={() => setCreating(false)} done={(user) => change({ user: user.id })} />}
      {words.user && <UserSheet key={words.user} project={project} id={words.user} close={() => change({ user: undefined })} />}
    </>
  );
}

function RoleDialog({ project, role, close }: { project: string; role: Schemas["RoleItem"] | undefined; close: () => void }) {
  const { data } = useQuery(permissionsQuery(project));
  const [name, setName] = useState(role?.name ?? "");
  const [chosen, setChosen] = useState(role?.permissions ?? []);
  const [overtaken, seen] = useOvertaken(role?.etag);
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  const byPlugin = useMemo(() => {
    const groups = new Map<string, Schemas["PermissionItem"][]>();
    for (const item of data?.items ?? []) groups.set(item.plugin, [...(groups.get(item.plugin) ?? []), item]);
    return [...groups];
  }, [data]);
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent title={role ? `Role ${role.name}` : "New role"}>
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              if (role) {
                await take(
                  api.PATCH("/admin/v1/projects/{project}/roles/{name}", {
                    params: { path: { project, name: role.name }, header: made(role.etag) },
                    body: { permissions: chosen },
                  }),
                );
              } else {
                await take(api.POST("/admin/v1/projects/{project}/roles", { params: { path: { project } }, body: { name, permissions: chosen } }));
              }
              await queryClient.invalidateQueries({ queryKey: rolesQuery(project).queryKey });
              toast.success("Saved");
              close();
            } catch (failure) {
              if (isOvertaken(failure)) await queryClient.invalidateQueries({ queryKey: rolesQuery(project).queryKey });
              refused(failure, setError);
            } finally {
              setPending(false);
            }
          }}
        >
          {role && overtaken && !pending && (
            <Changed
              what="role"
              of={{ project, action: "role.update", target: role.name }}
              reset={() => {
                setChosen(role.permissions);
                seen();
              }}
            />
          )}
          {!role && (
            <Field label="Name">
              <Input required autoComplete="off" placeholder="cashier" value={name} onChange={(event) => setName(event.target.value)} />
            </Field>
          )}
          {!data ? (
            <Loading />
          ) : byPlugin.length === 0 ? (
            <Note>No installed plugin declares permissions.</Note>
          ) : (
            byPlugin.map(([plugin, items]) => (
              <fieldset key={plugin}>
                <legend className="mb-1.5 text-[0.8125rem] font-medium">{plugin}</legend>
                <div className="grid gap-1.5">
                  {items.map((item) => (
                    <label key={item.permission} className="flex cursor-pointer items-start gap-2 text-sm">
                      <Checkbox
                        className="mt-0.5"
                        checked={chosen.includes(item.permission)}
                        onCheckedChange={(checked) =>
                          setChosen(checked ? [...chosen, item.permission] : chosen.filter((other) => other !== item.permission))
                        }
                      />
                      <span className="min-w-0">
                        {item.title} <code className="text-xs text-muted">{item.permission}</code>
                      </span>
                    </label>
                  ))}
                </div>
              </fieldset>
            ))
          )}
          <Refusal error={error} />
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" variant="primary" pending={pending}>
              Save
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}

function Roles({ project }: { project: string }) {
  const { data, error, refetch } = useQuery(rolesQuery(project));
  const [editing, setEditing] = useState<Schemas["RoleItem"] | "new">();
  const [removing, setRemoving] = useState<string>();
  return (
    <Card>
      <CardHeader
        title="Roles"
        description="Made of permissions that the installed plugins declare."
        actions={
          <Button size="sm" onClick={() => setEditing("new")}>
            <ShieldCheck aria-hidden /> New role
          </Button>
        }
      />
      {error && !data ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading />
      ) : (
        <ul className="border-t border-border">
          {data.items.map((role) => (
            <li key={role.name} className="flex flex-wrap items-center gap-2 border-b border-border px-4 py-2.5 last:border-0">
              <span className="font-medium">{role.name}</span>
              {role.built_in && <Badge>built in</Badge>}
              <span className="min-w-0 flex-1 truncate font-mono text-xs text-muted" title={role.permissions.join(", ")}>
                {role.permissions.join(", ") || "may do nothing of its own"}
              </span>
              {role.undeclared.length > 0 && (
                <Badge tone="warn" title={role.undeclared.join(", ")}>
                  {role.undeclared.length} without a plugin
                </Badge>
              )}
              {!role.built_in && (
                <>
                  <Button size="sm" variant="ghost" onClick={() => setEditing(role)}>
                    Change
                  </Button>
                  <Button size="icon-sm" variant="ghost" aria-label={`Remove ${role.name}`} onClick={() => setRemoving(role.name)}>
                    <X aria-hidden />
                  </Button>
                </>
              )}
            </li>
          ))}
        </ul>
      )}
      {editing && (
        <RoleDialog
          project={project}
          role={editing === "new" ? undefined : (data?.items.find((one) => one.name === editing.name) ?? editing)}
          close={() => setEditing(undefined)}
        />
      )}
      {removing && (
        <Confirm
          open
          onOpenChange={(open) => !open && setRemoving(undefined)}
          title={`Remove the role ${removing}?`}
          action="Remove the role"
          run={async () => {
            await take(api.DELETE("/admin/v1/projects/{project}/roles/{name}", { params: { path: { project, name: removing } } }));
            await queryClient.invalidateQueries({ queryKey: rolesQuery(project).queryKey });
          }}
        >
          <p>Who holds it loses what it allowed, at once.</p>
        </Confirm>
      )}
    </Card>
  );
}

export function Users() {
  const project = useProject();
  const [words, change] = useWords<"tab">();
  return (
    <>
      <PageHeader title="Users" description="Who signs in to the apps of this project. Admins of the platform are elsewhere." />
      <Tabs value={words.tab ?? "list"} onValueChange={(tab) => change({ tab })}>
        <TabsList aria-label="Users">
          <Tab value="list">Users</Tab>
          <Tab value="roles">Roles</Tab>
          <Tab value="settings">Sign-in</Tab>
          <Tab value="mails">Mails</Tab>
        </TabsList>
        <TabPanel value="list">
          <List project={project} />
        </TabPanel>
        <TabPanel value="roles">
          <Roles project={project} />
        </TabPanel>
        <TabPanel value="settings">
          <AuthPanel project={project} part="settings" />
        </TabPanel>
        <TabPanel value="mails">
          <AuthPanel project={project} part="mails" />
        </TabPanel>
      </Tabs>
    </>
  );
}
