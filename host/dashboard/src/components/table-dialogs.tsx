import { Plus, X } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { type Schemas, api, take } from "@/api/client";
import { type Column, type TableDetails, queryClient } from "@/api/queries";
import { Refusal } from "./states";
import { Button } from "./ui/button";
import { Checkbox } from "./ui/checkbox";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Field } from "./ui/field";
import { Input, Select, Textarea } from "./ui/input";

export const types: Schemas["ColumnType"][] = [
  "text",
  "integer",
  "bigint",
  "real",
  "numeric",
  "boolean",
  "json",
  "timestamp",
  "date",
  "time",
  "uuid",
  "bytes",
];

interface Draft {
  key: string;
  name: string;
  type: Schemas["ColumnType"];
  nullable: boolean;
  primary: boolean;
  unique: boolean;
  fallback: string;
  references: string;
}

const draft = (part: Partial<Draft> = {}): Draft => ({
  key: crypto.randomUUID(),
  name: "",
  type: "text",
  nullable: true,
  primary: false,
  unique: false,
  fallback: "",
  references: "",
  ...part,
});

const functions: Record<string, Schemas["DefaultFunction"]> = { "now()": "now", "uuid()": "uuid", "1, 2, 3, …": "autoincrement" };

/** What was typed as a default: a function's name, or a value of the column's type. */
export function columnDefault(type: string, text: string): Schemas["ColumnDefault"] {
  const made = functions[text.trim()];
  if (made) return { function: made };
  if (["integer", "bigint", "real"].includes(type) && text.trim() !== "" && !Number.isNaN(Number(text))) return { value: Number(text) };
  return { value: type === "boolean" ? text === "true" : text };
}

function column(one: Draft): Schemas["NewColumn"] {
  const [table, target] = one.references.split(".");
  return {
    name: one.name.trim(),
    type: one.type,
    nullable: one.primary ? false : one.nullable,
    primary_key: one.primary,
    unique: one.unique,
    ...(one.fallback === "" ? {} : { default: columnDefault(one.type, one.fallback) }),
    ...(table && target ? { references: { table, column: target } } : {}),
  };
}

function ColumnRow({ one, targets, single, change, remove }: { one: Draft; targets: string[]; single?: boolean; change: (part: Partial<Draft>) => void; remove?: (() => void) | undefined }) {
  const list = `defaults-${one.key}`;
  return (
    <div className="grid grid-cols-2 gap-2 rounded-md border border-border p-2.5 sm:grid-cols-[1fr_9rem_8rem_auto]">
      <Input
        aria-label="Name of the column"
        placeholder="name"
        required
        autoComplete="off"
        value={one.name}
        onChange={(event) => change({ name: event.target.value })}
      />
      <Select aria-label="Type" value={one.type} onChange={(event) => change({ type: event.target.value as Draft["type"] })}>
        {types.map((type) => (
          <option key={type}>{type}</option>
        ))}
      </Select>
      <Input
        aria-label="Default"
        placeholder="no default"
        list={list}
        autoComplete="off"
        value={one.fallback}
        onChange={(event) => change({ fallback: event.target.value })}
      />
      <datalist id={list}>
        {Object.keys(functions).map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
      {remove ? (
        <Button variant="ghost" size="icon" aria-label={`Remove the column ${one.name}`} onClick={remove}>
          <X aria-hidden />
        </Button>
      ) : (
        <span />
      )}
      <div className="col-span-2 flex flex-wrap items-center gap-x-4 gap-y-2 text-[0.8125rem] sm:col-span-4">
        {!single && (
          <label className="flex items-center gap-1.5">
            <Checkbox checked={one.primary} onCheckedChange={(primary) => change({ primary: primary === true })} /> primary key
          </label>
        )}
        <label className="flex items-center gap-1.5">
          <Checkbox checked={one.nullable && !one.primary} disabled={one.primary} onCheckedChange={(on) => change({ nullable: on === true })} /> takes NULL
        </label>
        <label className="flex items-center gap-1.5">
          <Checkbox checked={one.unique} onCheckedChange={(unique) => change({ unique: unique === true })} /> unique
        </label>
        <Select
          aria-label="Refers to"
          className="ml-auto h-8 w-44 text-xs"
          value={one.references}
          onChange={(event) => change({ references: event.target.value })}
        >
          <option value="">refers to nothing</option>
          {targets.map((target) => (
            <option key={target}>{target}</option>
          ))}
        </Select>
      </div>
    </div>
  );
}

/** Columns that others may refer to: keys of one column. */
export const targetsOf = (tables: Schemas["TableView"][]): string[] =>
  tables.filter((table) => table.primary_key.length === 1).map((table) => `${table.name}.${table.primary_key[0]}`);

export function CreateTable({ project, tables, close, done }: { project: string; tables: Schemas["TableView"][]; close: () => void; done: (name: string) => void }) {
  const [name, setName] = useState("");
  const [columns, setColumns] = useState([
    draft({ name: "id", type: "integer", primary: true, nullable: false, fallback: "1, 2, 3, …" }),
    draft({ name: "created_at", type: "timestamp", nullable: false, fallback: "now()" }),
  ]);
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <DialogRoot open onOpenChange={(open) => !open && !pending && close()}>
      <DialogContent side className="max-w-2xl" title="New table" description="Without a policy only secret keys and admins reach its rows.">
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              const keys = columns.filter((one) => one.primary);
              const made = columns.map((one) => column(keys.length > 1 ? { ...one, primary: false, nullable: one.nullable && !one.primary } : one));
              await take(
                api.POST("/admin/v1/projects/{project}/tables", {
                  params: { path: { project } },
                  body: { name: name.trim(), columns: made, ...(keys.length > 1 ? { primary_key: keys.map((one) => one.name.trim()) } : {}) },
                }),
              );
              await queryClient.invalidateQueries({ queryKey: ["project", project, "tables"] });
              toast.success(`The table ${name.trim()} is there`);
              close();
              done(name.trim());
            } catch (failure) {
              setError(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          <Field label="Name">
            <Input required autoComplete="off" placeholder="orders" value={name} onChange={(event) => setName(event.target.value)} />
          </Field>
          <fieldset className="grid gap-2">
            <legend className="mb-1.5 text-[0.8125rem] font-medium">Columns</legend>
            {columns.map((one) => (
              <ColumnRow
                key={one.key}
                one={one}
                targets={targetsOf(tables)}
                change={(part) => setColumns(columns.map((other) => (other.key === one.key ? { ...other, ...part } : other)))}
                remove={columns.length > 1 ? () => setColumns(columns.filter((other) => other.key !== one.key)) : undefined}
              />
            ))}
            <div>
              <Button size="sm" onClick={() => setColumns([...columns, draft()])}>
                <Plus aria-hidden /> Add a column
              </Button>
            </div>
          </fieldset>
          <Refusal error={error} />
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" variant="primary" pending={pending}>
              Create table
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}

export async function alter(project: string, table: string, change: Schemas["TableChange"]): Promise<void> {
  await take(
    api.PATCH("/admin/v1/projects/{project}/tables/{table}", { params: { path: { project, table } }, body: { changes: [change] } }),
  );
  await queryClient.invalidateQueries({ queryKey: ["project", project, "tables"] });
}

export function AddColumn({ project, table, tables, close }: { project: string; table: string; tables: Schemas["TableView"][]; close: () => void }) {
  const [one, setOne] = useState(draft);
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent className="max-w-2xl" title={`New column in ${table}`}>
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              await alter(project, table, { op: "add_column", column: column(one) } as Schemas["TableChange"]);
              toast.success(`${table} has the column ${one.name}`);
              close();
            } catch (failure) {
              setError(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          <ColumnRow one={one} single targets={targetsOf(tables)} change={(part) => setOne({ ...one, ...part })} />
          <Refusal error={error} />
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" variant="primary" pending={pending}>
              Add column
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}

/** What is typed, as the value that a column holds. */
export function valueOf(column: Column, text: string | null): unknown {
  if (text === null) return null;
  switch (column.kind) {
    case "integer":
      return /^-?\d{1,15}$/.test(text.trim()) ? Number(text) : text.trim();
    case "real":
      return text.trim() !== "" && !Number.isNaN(Number(text)) ? Number(text) : text;
    case "boolean":
      return /^(true|t|1|yes|on)$/i.test(text.trim()) ? true : /^(false|f|0|no|off)$/i.test(text.trim()) ? false : text;
    default:
      return text;
  }
}

/** A row as a form: for a new one, and for long values. */
export function RowForm({ table, title, values, save, close }: { table: TableDetails; title: string; values?: Record<string, unknown>; save: (values: Record<string, unknown>) => Promise<void>; close: () => void }) {
  const [draft, setDraft] = useState<Record<string, string | null | undefined>>(() =>
    Object.fromEntries(
      table.columns.map((column) => {
        const value = values?.[column.name];
        return [column.name, values === undefined ? undefined : value === null ? null : typeof value === "object" ? JSON.stringify(value, null, 2) : String(value)];
      }),
    ),
  );
  const [start] = useState(draft);
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <DialogRoot open onOpenChange={(open) => !open && !pending && close()}>
      <DialogContent side title={title}>
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              const changed = table.columns.filter((column) => draft[column.name] !== start[column.name]);
              await save(Object.fromEntries(changed.map((column) => [column.name, valueOf(column, draft[column.name] ?? null)])));
              close();
            } catch (failure) {
              setError(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          {table.columns
            .filter((column) => !column.generated)
            .map((column) => {
              const value = draft[column.name];
              const set = (next: string | null | undefined) => setDraft({ ...draft, [column.name]: next });
              const long = ["text", "json", "array", "other"].includes(column.kind);
              return (
                <div key={column.name} className="grid grid-cols-[minmax(0,1fr)_auto] items-end gap-2">
                  <Field
                    label={
                      <>
                        {column.name} <span className="font-mono text-xs font-normal text-muted">{column.data_type}</span>
                      </>
                    }
                  >
                    {long ? (
                      <Textarea
                        className="min-h-9 font-mono text-xs"
                        rows={value && value.length > 60 ? 5 : 1}
                        placeholder={value === null ? "NULL" : value === undefined ? (column.default ?? (column.nullable ? "NULL" : "needed")) : ""}
                        value={value ?? ""}
                        onChange={(event) => set(event.target.value)}
                      />
                    ) : (
                      <Input
                        className="font-mono text-xs"
                        placeholder={value === null ? "NULL" : value === undefined ? (column.default ?? (column.nullable ? "NULL" : "needed")) : ""}
                        value={value ?? ""}
                        onChange={(event) => set(event.target.value)}
                      />
                    )}
                  </Field>
                  {column.nullable && (
                    <Button size="sm" variant="ghost" className="mb-0.5" aria-label={`Set ${column.name} to NULL`} disabled={value === null} onClick={() => set(null)}>
                      NULL
                    </Button>
                  )}
                </div>
              );
            })}
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
