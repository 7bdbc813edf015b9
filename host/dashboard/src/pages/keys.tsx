import { useQuery } from "@tanstack/react-query";
import { Ban, KeyRound, Plus, RefreshCw } from "lucide-react";
import { useMemo, useState } from "react";
import { toast } from "sonner";
import { type Schemas, api, take } from "@/api/client";
import { type Key, keysQuery, queryClient } from "@/api/queries";
import { Confirm } from "@/components/confirm";
import { type Col, DataTable } from "@/components/data-table";
import { PageHeader } from "@/components/page";
import { ShownOnce } from "@/components/project-forms";
import { Empty, Refusal } from "@/components/states";
import { Cut, When } from "@/components/text";
import { Badge, Dot } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { DialogContent, DialogRoot } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { useProject } from "@/lib/use-project";

const stateOf = (key: Key): [string, "good" | "bad" | "warn"] => {
  const now = Date.now();
  if (key.revoked_at && Date.parse(key.revoked_at) <= now) return ["revoked", "bad"];
  if (key.revoked_at) return ["ends soon", "warn"];
  if (key.expires_at && Date.parse(key.expires_at) <= now) return ["expired", "bad"];
  return ["active", "good"];
};

const days = (count: string) => (count === "" ? undefined : new Date(Date.now() + Number(count) * 86_400_000).toISOString());

function NewKey({ project, close, done }: { project: string; close: () => void; done: (key: Schemas["NewKeyView"]) => void }) {
  const [kind, setKind] = useState("publishable");
  const [name, setName] = useState("");
  const [life, setLife] = useState("");
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent title="New key">
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            const expires = days(life);
            try {
              const made = await take(
                api.POST("/admin/v1/projects/{project}/keys", {
                  params: { path: { project } },
                  body: { kind, ...(name ? { name } : {}), ...(expires ? { expires_at: expires } : {}) },
                }),
              );
              close();
              done(made);
            } catch (failure) {
              setError(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          <Field
            label="Kind"
            help={
              kind === "publishable"
                ? "May be shipped in a browser or an app: it reads what policies allow."
                : "Stays on your servers: it may read and write everything in the project."
            }
          >
            <Select value={kind} onChange={(event) => setKind(event.target.value)}>
              <option value="publishable">Publishable</option>
              <option value="secret">Secret</option>
            </Select>
          </Field>
          <Field label="Name" help="Where it will be used, so that you know later what revoking it breaks.">
            <Input value={name} maxLength={200} placeholder="Web shop" onChange={(event) => setName(event.target.value)} />
          </Field>
          <Field label="Ends">
            <Select value={life} onChange={(event) => setLife(event.target.value)}>
              <option value="">Never</option>
              <option value="7">In a week</option>
              <option value="30">In 30 days</option>
              <option value="90">In 90 days</option>
              <option value="365">In a year</option>
            </Select>
          </Field>
          <Refusal error={error} />
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" variant="primary" pending={pending}>
              Create key
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}

function Rotate({ project, rotated, close, done }: { project: string; rotated: Key; close: () => void; done: (key: Schemas["NewKeyView"]) => void }) {
  const [overlap, setOverlap] = useState("86400");
  return (
    <Confirm
      open
      danger={false}
      onOpenChange={(open) => !open && close()}
      title={`Rotate ${rotated.name || rotated.hint}?`}
      action="Make the new key"
      run={async () => {
        done(
          await take(
            api.POST("/admin/v1/projects/{project}/keys/{id}/rotate", {
              params: { path: { project, id: rotated.id } },
              body: { overlap_seconds: Number(overlap) },
            }),
          ),
        );
      }}
    >
      <p>A new key of the same kind is made. The old one goes on for a while, so that apps can change over.</p>
      <Field label="The old key ends">
        <Select value={overlap} onChange={(event) => setOverlap(event.target.value)}>
          <option value="0">At once</option>
          <option value="3600">In an hour</option>
          <option value="86400">In a day</option>
          <option value="604800">In a week</option>
        </Select>
      </Field>
    </Confirm>
  );
}

export function Keys() {
  const project = useProject();
  const { data, error, refetch } = useQuery(keysQuery(project));
  const [creating, setCreating] = useState(false);
  const [rotating, setRotating] = useState<Key>();
  const [revoking, setRevoking] = useState<Key>();
  const [made, setMade] = useState<Schemas["NewKeyView"]>();
  const shown = (key: Schemas["NewKeyView"]) => {
    setMade(key);
    void queryClient.invalidateQueries({ queryKey: keysQuery(project).queryKey });
  };
  const columns = useMemo<Col<Key>[]>(
    () => [
      {
        id: "name",
        head: "Name",
        sort: (key) => key.name.toLowerCase(),
        cell: (key) => (key.name ? <Cut text={key.name} className="font-medium" /> : <span className="text-muted">no name</span>),
      },
      {
        id: "kind",
        head: "Kind",
        sort: (key) => key.kind,
        cell: (key) => <Badge tone={key.kind === "secret" ? "warn" : "accent"}>{key.kind}</Badge>,
      },
      { id: "hint", head: "Begins with", wide: true, cell: (key) => <code className="text-xs text-muted">{key.hint}…</code> },
      {
        id: "state",
        head: "State",
        wide: true,
        sort: (key) => stateOf(key)[0],
        cell: (key) => {
          const [word, tone] = stateOf(key);
          return (
            <Badge tone={tone}>
              <Dot tone={tone} /> {word}
            </Badge>
          );
        },
      },
      { id: "used", head: "Last used", wide: true, sort: (key) => key.last_used_at, cell: (key) => <When at={key.last_used_at} /> },
      { id: "created", head: "Created", wide: true, sort: (key) => key.created_at, cell: (key) => <When at={key.created_at} /> },
      { id: "ends", head: "Ends", wide: true, sort: (key) => key.expires_at, cell: (key) => <When at={key.revoked_at ?? key.expires_at} /> },
      {
        id: "more",
        head: "Actions",
        hiddenHead: true,
        className: "text-right",
        cell: (key) =>
          stateOf(key)[0] === "active" || stateOf(key)[0] === "ends soon" ? (
            <span className="inline-flex gap-1">
              <Button size="icon-sm" variant="ghost" aria-label={`Rotate ${key.name || key.hint}`} title="Rotate" onClick={() => setRotating(key)}>
                <RefreshCw aria-hidden />
              </Button>
              <Button size="icon-sm" variant="ghost" aria-label={`Revoke ${key.name || key.hint}`} title="Revoke" onClick={() => setRevoking(key)}>
                <Ban aria-hidden />
              </Button>
            </span>
          ) : null,
      },
    ],
    [],
  );
  const create = (
    <Button variant="primary" onClick={() => setCreating(true)}>
      <Plus aria-hidden /> New key
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Keys"
        description="What apps show to be let in. Only fingerprints are kept: a lost key is replaced, not looked up."
        actions={create}
      />
      <Card>
        <DataTable
          sortWord="by"
          label="Keys"
          columns={columns}
          rows={data?.items}
          error={error}
          retry={() => void refetch()}
          rowKey={(key) => key.id}
          empty={
            <Empty icon={KeyRound} title="There is no key" action={create}>
              Without one, only signed-in users and admins reach this project.
            </Empty>
          }
        />
      </Card>
      {creating && <NewKey project={project} close={() => setCreating(false)} done={shown} />}
      {rotating && <Rotate project={project} rotated={rotating} close={() => setRotating(undefined)} done={shown} />}
      {revoking && (
        <Confirm
          open
          onOpenChange={(open) => !open && setRevoking(undefined)}
          title={`Revoke ${revoking.name || revoking.hint}?`}
          action="Revoke the key"
          run={async () => {
            await take(api.DELETE("/admin/v1/projects/{project}/keys/{id}", { params: { path: { project, id: revoking.id } } }));
            toast.success("The key is revoked, everywhere within a second");
            await queryClient.invalidateQueries({ queryKey: keysQuery(project).queryKey });
          }}
        >
          <p>
            Whatever uses <code>{revoking.hint}…</code> is turned away at once. To change over without a gap, rotate it instead.
          </p>
        </Confirm>
      )}
      {made && (
        <ShownOnce
          title="The new key"
          {...(made.kind === "secret" ? { secret: made.key } : { publishable: made.key })}
          close={() => setMade(undefined)}
        />
      )}
    </>
  );
}
