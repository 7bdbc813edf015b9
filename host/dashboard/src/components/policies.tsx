import { useQuery } from "@tanstack/react-query";
import { Lock, Plus, X } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { type Schemas, api, take } from "@/api/client";
import { type TableDetails, queryClient } from "@/api/queries";
import { isOvertaken, made, onlyNew, refused, useOvertaken } from "@/lib/tags";
import { Changed } from "./changed";
import { Confirm } from "./confirm";
import { Empty, Refusal } from "./states";
import { Badge } from "./ui/badge";
import { Button } from "./ui/button";
import { Card, CardHeader } from "./ui/card";
import { Checkbox } from "./ui/checkbox";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Field } from "./ui/field";
import { Input, Select, Textarea } from "./ui/input";
import { rolesQuery } from "./user-queries";

type Policy = Schemas["PolicyView"];

/** What a condition says, in words. */
function words(condition: unknown): string {
  if (condition === true) return "all rows";
  if (condition === false) return "no row";
  if (typeof condition === "object" && condition && "owner" in condition) return `rows whose ${String(condition.owner)} is the caller`;
  return condition ? String(condition) : "all rows";
}

const kindOf = (condition: unknown) =>
  condition === false ? "none" : condition === true || condition === undefined || condition === null ? "all" : typeof condition === "object" ? "owner" : "sql";

function Condition({ label, table, value, change }: { label: string; table: TableDetails; value: unknown; change: (value: unknown) => void }) {
  const kind = kindOf(value);
  return (
    <div className="grid gap-2">
      <Field label={label}>
        <Select
          value={kind}
          onChange={(event) =>
            change(
              { all: true, none: false, owner: { owner: table.columns[0]?.name ?? "" }, sql: "" }[event.target.value] ?? true,
            )
          }
        >
          <option value="all">All rows</option>
          <option value="owner">Rows that are the caller's own</option>
          <option value="sql">Rows for which a condition holds</option>
          <option value="none">No row</option>
        </Select>
      </Field>
      {kind === "owner" && (
        <Select
          aria-label="Column with the owner's id"
          value={String((value as { owner?: string }).owner ?? "")}
          onChange={(event) => change({ owner: event.target.value })}
        >
          {table.columns.map((column) => (
            <option key={column.name}>{column.name}</option>
          ))}
        </Select>
      )}
      {kind === "sql" && (
        <Textarea
          aria-label="Condition"
          required
          className="font-mono text-xs"
          spellCheck={false}
          placeholder="status = 'public'"
          value={String(value)}
          onChange={(event) => change(event.target.value)}
        />
      )}
    </div>
  );
}

function PolicyDialog({ project, table, policy, close }: { project: string; table: TableDetails; policy: Policy | undefined; close: () => void }) {
  const { data } = useQuery(rolesQuery(project));
  const [name, setName] = useState(policy?.name ?? "");
  const [roles, setRoles] = useState(policy?.roles ?? ["authenticated"]);
  const [actions, setActions] = useState(policy?.actions ?? ["select"]);
  const [using, setUsing] = useState<unknown>(policy?.using ?? true);
  const [check, setCheck] = useState<unknown>(policy?.check ?? true);
  const [overtaken, seen] = useOvertaken(policy?.etag);
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  const writes = actions.some((action) => action === "insert" || action === "update");
  const reads = actions.some((action) => action !== "insert");
  const toggle = (list: string[], item: string, on: boolean) => (on ? [...list, item] : list.filter((other) => other !== item));
  const choices = [
    ["*", "everybody"],
    ["anon", "who has not signed in"],
    ["authenticated", "who has signed in"],
    ...(data?.items.map((role) => [role.name, role.name] as const) ?? []),
  ] as const;
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent title={policy ? `Policy ${policy.name}` : `New policy of ${table.name}`} description="Several policies for the same rows are alternatives.">
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              await take(
                api.PUT("/admin/v1/projects/{project}/tables/{table}/policies/{name}", {
                  params: { path: { project, table: table.name, name }, header: policy ? made(policy.etag) : onlyNew },
                  body: { roles, actions, ...(reads ? { using } : {}), ...(writes ? { check } : {}) } as Schemas["PolicyRules"],
                }),
              );
              await queryClient.invalidateQueries({ queryKey: ["project", project, "tables"] });
              toast.success("The policy holds");
              close();
            } catch (failure) {
              if (isOvertaken(failure)) await queryClient.invalidateQueries({ queryKey: ["project", project, "tables"] });
              if (policy) refused(failure, setError);
              else setError(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          {policy && overtaken && !pending && (
            <Changed
              what="policy"
              of={{ project, action: "policy.put", target: table.name }}
              reset={() => {
                setRoles(policy.roles);
                setActions(policy.actions);
                setUsing(policy.using ?? true);
                setCheck(policy.check ?? true);
                seen();
              }}
            />
          )}
          {!policy && (
            <Field label="Name">
              <Input required maxLength={40} autoComplete="off" placeholder="own_rows" value={name} onChange={(event) => setName(event.target.value)} />
            </Field>
          )}
          <fieldset>
            <legend className="mb-1.5 text-[0.8125rem] font-medium">For</legend>
            <div className="flex flex-wrap gap-x-5 gap-y-2">
              {choices.map(([role, label]) => (
                <label key={role} className="flex items-center gap-2 text-sm">
                  <Checkbox checked={roles.includes(role)} onCheckedChange={(on) => setRoles(toggle(roles, role, on === true))} /> {label}
                </label>
              ))}
            </div>
          </fieldset>
          <fieldset>
            <legend className="mb-1.5 text-[0.8125rem] font-medium">May</legend>
            <div className="flex flex-wrap gap-x-5 gap-y-2">
              {["select", "insert", "update", "delete"].map((action) => (
                <label key={action} className="flex items-center gap-2 text-sm">
                  <Checkbox checked={actions.includes(action)} onCheckedChange={(on) => setActions(toggle(actions, action, on === true))} /> {action}
                </label>
              ))}
            </div>
          </fieldset>
          {reads && <Condition label="Of the rows that are there" table={table} value={using} change={setUsing} />}
          {writes && <Condition label="Of the rows that are written" table={table} value={check} change={setCheck} />}
          <Refusal error={error} />
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" variant="primary" pending={pending} disabled={roles.length === 0 || actions.length === 0}>
              Save
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}

/** Who may do what with which rows. */
export function Policies({ project, table }: { project: string; table: TableDetails }) {
  const [editing, setEditing] = useState<Policy | "new">();
  const [removing, setRemoving] = useState<string>();
  return (
    <Card>
      <CardHeader
        title="Policies"
        description="Who may do what with which rows, over HTTP. Secret keys and admins are not bound by them."
        actions={
          <Button size="sm" onClick={() => setEditing("new")}>
            <Plus aria-hidden /> New policy
          </Button>
        }
      />
      {table.policies.length === 0 ? (
        <Empty icon={Lock} title="Closed" className="py-8">
          No policy lets anybody in: publishable keys and users reach no row of this table.
        </Empty>
      ) : (
        <ul className="border-t border-border">
          {table.policies.map((policy) => (
            <li key={policy.name} className="flex flex-wrap items-center gap-2 border-b border-border px-4 py-2.5 last:border-0">
              <span className="font-medium">{policy.name}</span>
              {policy.actions.map((action) => (
                <Badge key={action} tone="accent">
                  {action}
                </Badge>
              ))}
              <span className="text-xs text-muted">for {policy.roles.join(", ")}</span>
              <span className="min-w-0 flex-1 truncate font-mono text-xs text-muted" title={words(policy.using ?? policy.check)}>
                {words(policy.using ?? policy.check)}
              </span>
              <Button size="sm" variant="ghost" onClick={() => setEditing(policy)}>
                Change
              </Button>
              <Button size="icon-sm" variant="ghost" aria-label={`Remove ${policy.name}`} onClick={() => setRemoving(policy.name)}>
                <X aria-hidden />
              </Button>
            </li>
          ))}
        </ul>
      )}
      {editing && (
        <PolicyDialog
          project={project}
          table={table}
          policy={editing === "new" ? undefined : (table.policies.find((one) => one.name === editing.name) ?? editing)}
          close={() => setEditing(undefined)}
        />
      )}
      {removing && (
        <Confirm
          open
          onOpenChange={(open) => !open && setRemoving(undefined)}
          title={`Remove the policy ${removing}?`}
          action="Remove it"
          run={async () => {
            await take(
              api.DELETE("/admin/v1/projects/{project}/tables/{table}/policies/{name}", {
                params: { path: { project, table: table.name, name: removing } },
              }),
            );
            await queryClient.invalidateQueries({ queryKey: ["project", project, "tables"] });
          }}
        >
          <p>Whoever it let in is shut out of these rows at once.</p>
        </Confirm>
      )}
    </Card>
  );
}
