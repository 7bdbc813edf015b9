import { useQuery } from "@tanstack/react-query";
import { Ellipsis, MailPlus, ShieldOff, Trash2, UserCog, UserX } from "lucide-react";
import { useMemo, useState } from "react";
import { toast } from "sonner";
import { type Schemas, api, take } from "@/api/client";
import { queryClient, sessionQuery } from "@/api/queries";
import { Confirm } from "@/components/confirm";
import { type Col, DataTable } from "@/components/data-table";
import { PageHeader } from "@/components/page";
import { Empty, Note, Refusal } from "@/components/states";
import { Secret, When } from "@/components/text";
import { Badge, Dot } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardHeader } from "@/components/ui/card";
import { DialogContent, DialogRoot } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "@/components/ui/menu";
import { moment } from "@/lib/format";
import { useAction } from "@/lib/use-action";

type Admin = Schemas["AdminAccountView"];
type Invitation = Schemas["InvitationView"];

const roles: [string, string][] = [
  ["owner", "does everything, and looks after the other admins"],
  ["admin", "does everything but that"],
  ["viewer", "looks, and changes nothing"],
];

function Invite({ close }: { close: () => void }) {
  const [email, setEmail] = useState("");
  const [role, setRole] = useState("admin");
  const [made, setMade] = useState<Schemas["NewInvitationView"]>();
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent title="Invite an admin">
        {made ? (
          <div className="grid gap-4">
            <Note tone="warn">Give this link to {made.email} by a way that you trust. It is shown once, works once, and ends {moment(made.expires_at)}.</Note>
            <Secret label="invitation" text={`${location.origin}/dashboard/accept#${encodeURIComponent(made.token)}`} />
            <div className="flex justify-end">
              <Button variant="primary" onClick={close}>
                Done
              </Button>
            </div>
          </div>
        ) : (
          <form
            className="grid gap-4"
            onSubmit={async (event) => {
              event.preventDefault();
              setPending(true);
              setError(undefined);
              try {
                setMade(await take(api.POST("/admin/v1/invitations", { body: { email, role } })));
                await queryClient.invalidateQueries({ queryKey: ["invitations"] });
              } catch (failure) {
                setError(failure);
              } finally {
                setPending(false);
              }
            }}
          >
            <Field label="Email">
              <Input type="email" required value={email} onChange={(event) => setEmail(event.target.value)} />
            </Field>
            <Field label="Role" help={roles.find(([name]) => name === role)?.[1]}>
              <Select value={role} onChange={(event) => setRole(event.target.value)}>
                {roles.map(([name]) => (
                  <option key={name}>{name}</option>
                ))}
              </Select>
            </Field>
            <Refusal error={error} />
            <div className="flex justify-end gap-2">
              <Button onClick={close}>Cancel</Button>
              <Button type="submit" variant="primary" pending={pending}>
                Invite
              </Button>
            </div>
          </form>
        )}
      </DialogContent>
    </DialogRoot>
  );
}

export function Admins() {
  const { data: session } = useQuery(sessionQuery);
  const { data, error, refetch } = useQuery({
    queryKey: ["admins"],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/admins", { params: { query: { limit: 1_000 } }, signal })),
  });
  const invitations = useQuery({
    queryKey: ["invitations"],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/invitations", { params: { query: { limit: 1_000 } }, signal })),
  });
  const [inviting, setInviting] = useState(false);
  const [asking, setAsking] = useState<{ what: "remove" | "totp" | "disable"; admin: Admin }>();
  const [revoking, setRevoking] = useState<Invitation>();
  const { run } = useAction();
  const me = session?.admin.id;
  const isOwner = session?.admin.role === "owner";
  const refresh = () => queryClient.invalidateQueries({ queryKey: ["admins"] });
  const columns = useMemo<Col<Admin>[]>(() => {
    const change = (admin: Admin, body: Schemas["AdminPatch"], done: string) =>
      run(async () => {
        await take(api.PATCH("/admin/v1/admins/{id}", { params: { path: { id: admin.id } }, body }));
        await queryClient.invalidateQueries({ queryKey: ["admins"] });
      }, done);
    return [
      {
        id: "email",
        head: "Admin",
        sort: (admin) => admin.email,
        cell: (admin) => (
          <span className="flex items-center gap-2">
            <span className="max-w-64 truncate font-medium" title={admin.email}>
              {admin.email}
            </span>
            {admin.id === me && <Badge tone="accent">you</Badge>}
          </span>
        ),
      },
      {
        id: "role",
        head: "Role",
        sort: (admin) => admin.role,
        cell: (admin) => (
          <Select
            aria-label={`Role of ${admin.email}`}
            className="h-8 w-28"
            disabled={!isOwner}
            value={admin.role}
            onChange={(event) => void change(admin, { role: event.target.value }, `${admin.email} is ${event.target.value} now`)}
          >
            {roles.map(([name]) => (
              <option key={name}>{name}</option>
            ))}
          </Select>
        ),
      },
      {
        id: "state",
        head: "State",
        cell: (admin) =>
          admin.disabled_at ? (
            <Badge tone="bad">
              <Dot tone="bad" /> shut out
            </Badge>
          ) : (
            <Badge tone="good">
              <Dot tone="good" /> active
            </Badge>
          ),
      },
      { id: "totp", head: "Second factor", wide: true, cell: (admin) => (admin.totp_enabled ? "on" : <span className="text-muted">off</span>) },
      { id: "since", head: "Since", wide: true, sort: (admin) => admin.created_at, cell: (admin) => <When at={admin.created_at} /> },
      {
        id: "more",
        head: "Actions",
        hiddenHead: true,
        className: "w-12",
        cell: (admin) =>
          isOwner && admin.id !== me ? (
            <Menu>
              <MenuTrigger asChild>
                <Button variant="ghost" size="icon-sm" aria-label={`Actions for ${admin.email}`}>
                  <Ellipsis aria-hidden />
                </Button>
              </MenuTrigger>
              <MenuContent>
                {admin.disabled_at ? (
                  <MenuItem onSelect={() => void change(admin, { disabled: false }, "Let in again")}>Let in again</MenuItem>
                ) : (
                  <MenuItem onSelect={() => setAsking({ what: "disable", admin })}>
                    <UserX aria-hidden /> Shut out
                  </MenuItem>
                )}
                {admin.totp_enabled && (
                  <MenuItem onSelect={() => setAsking({ what: "totp", admin })}>
                    <ShieldOff aria-hidden /> Reset the second factor
                  </MenuItem>
                )}
                <MenuSeparator />
                <MenuItem danger onSelect={() => setAsking({ what: "remove", admin })}>
                  <Trash2 aria-hidden /> Remove…
                </MenuItem>
              </MenuContent>
            </Menu>
          ) : null,
      },
    ];
  }, [me, isOwner, run]);
  const waiting = invitations.data?.items ?? [];
  return (
    <>
      <PageHeader
        title="Admins"
        description="Who may look after this platform. Users of apps are in their projects."
        actions={
          isOwner && (
            <Button variant="primary" onClick={() => setInviting(true)}>
              <MailPlus aria-hidden /> Invite
            </Button>
          )
        }
      />
      <div className="grid gap-4">
        {!isOwner && <Note>Only owners change this.</Note>}
        <Card>
          <DataTable
            sortWord="by"
            label="Admins"
            columns={columns}
            rows={data?.items}
            error={error}
            retry={() => void refetch()}
            rowKey={(admin) => admin.id}
            empty={<Empty icon={UserCog} title="No admins" />}
          />
        </Card>
        {waiting.length > 0 && (
          <Card>
            <CardHeader title="Invitations that wait" />
            <ul className="border-t border-border">
              {waiting.map((one) => (
                <li key={one.id} className="flex items-center gap-3 border-b border-border px-4 py-2 text-sm last:border-0">
                  <span className="min-w-0 flex-1 truncate">{one.email}</span>
                  <Badge>{one.role}</Badge>
                  <span className="hidden text-xs text-muted sm:block">ends {moment(one.expires_at)}</span>
                  {isOwner && (
                    <Button size="sm" variant="ghost" onClick={() => setRevoking(one)}>
                      Take back
                    </Button>
                  )}
                </li>
              ))}
            </ul>
          </Card>
        )}
      </div>
      {inviting && <Invite close={() => setInviting(false)} />}
      {revoking && (
        <Confirm
          open
          onOpenChange={(open) => !open && setRevoking(undefined)}
          title={`Take the invitation of ${revoking.email} back?`}
          action="Take it back"
          run={async () => {
            await take(api.DELETE("/admin/v1/invitations/{id}", { params: { path: { id: revoking.id } } }));
            await queryClient.invalidateQueries({ queryKey: ["invitations"] });
          }}
        >
          <p>Its link stops working.</p>
        </Confirm>
      )}
      {asking && (
        <Confirm
          open
          onOpenChange={(open) => !open && setAsking(undefined)}
          title={
            asking.what === "remove"
              ? `Remove ${asking.admin.email}?`
              : asking.what === "totp"
                ? `Reset the second factor of ${asking.admin.email}?`
                : `Shut ${asking.admin.email} out?`
          }
          action={asking.what === "remove" ? "Remove the admin" : asking.what === "totp" ? "Reset it" : "Shut out"}
          run={async () => {
            const params = { path: { id: asking.admin.id } };
            if (asking.what === "remove") await take(api.DELETE("/admin/v1/admins/{id}", { params }));
            else if (asking.what === "totp") await take(api.DELETE("/admin/v1/admins/{id}/totp", { params }));
            else await take(api.PATCH("/admin/v1/admins/{id}", { params, body: { disabled: true } }));
            toast.success("Done");
            await refresh();
          }}
        >
          <p>
            {asking.what === "totp"
              ? "Afterwards the password alone signs in. Be sure who asks for it."
              : "All sessions of this admin end at once. What the admin did stays in the audit."}
          </p>
        </Confirm>
      )}
    </>
  );
}
