import { useState } from "react";
import { toast } from "sonner";
import type { Schemas } from "@/api/client";
import type { Column, TableDetails } from "@/api/queries";
import { Refusal } from "./states";
import { alter, columnDefault, types } from "./table-dialogs";
import { Button } from "./ui/button";
import { Checkbox } from "./ui/checkbox";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Field, Toggle } from "./ui/field";
import { Input, Select } from "./ui/input";

/** A form over the page that does one thing, and stays when that is refused. */
function Form({ title, description, action, run, close, children }: { title: string; description?: string; action: string; run: () => Promise<void>; close: () => void; children: React.ReactNode }) {
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <DialogRoot open onOpenChange={(open) => !open && !pending && close()}>
      <DialogContent title={title} description={description}>
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              await run();
              close();
            } catch (failure) {
              setError(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          {children}
          <Refusal error={error} />
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" variant="primary" pending={pending}>
              {action}
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}

/** What a column holds from now on: its type, whether it takes NULL, and what it holds when a row does not say. */
export function AlterColumn({ project, table, column, close }: { project: string; table: TableDetails; column: Column; close: () => void }) {
  const [type, setType] = useState("");
  const [nullable, setNullable] = useState(column.nullable);
  const [fallback, setFallback] = useState<"keep" | "drop" | "set">("keep");
  const [value, setValue] = useState("");
  const key = table.primary_key.includes(column.name);
  return (
    <Form
      title={`Change the column ${column.name}`}
      description="Values are converted; where one cannot be, nothing changes."
      action="Change it"
      close={close}
      run={async () => {
        await alter(project, table.name, {
          op: "alter_column",
          column: column.name,
          ...(type ? { type: type as Schemas["ColumnType"] } : {}),
          ...(nullable === column.nullable ? {} : { nullable }),
          ...(fallback === "drop" ? { drop_default: true } : {}),
          ...(fallback === "set" ? { default: columnDefault(type || column.kind, value) } : {}),
        });
        toast.success(`${column.name} is changed`);
      }}
    >
      <Field label="Type">
        <Select value={type} onChange={(event) => setType(event.target.value)}>
          <option value="">stays {column.data_type}</option>
          {types.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </Select>
      </Field>
      {!key && <Toggle label="Takes NULL" help="Switched off, every row needs a value; those there are have to have one." checked={nullable} change={setNullable} />}
      <Field label="When a row does not say">
        <Select value={fallback} onChange={(event) => setFallback(event.target.value as typeof fallback)}>
          <option value="keep">{column.default ? `stays ${column.default}` : "stays without a default"}</option>
          <option value="set">a value</option>
          {column.default && <option value="drop">nothing</option>}
        </Select>
      </Field>
      {fallback === "set" && (
        <Field label="Value" help="now() and uuid() are called for each row.">
          <Input autoComplete="off" value={value} onChange={(event) => setValue(event.target.value)} />
        </Field>
      )}
    </Form>
  );
}

function Columns({ table, legend, value, change }: { table: TableDetails; legend: string; value: string[]; change: (columns: string[]) => void }) {
  return (
    <fieldset>
      <legend className="mb-1.5 text-[0.8125rem] font-medium">{legend}</legend>
      <div className="flex flex-wrap gap-x-5 gap-y-2">
        {table.columns.map(({ name }) => {
          const place = value.indexOf(name);
          return (
            <label key={name} className="flex cursor-pointer items-center gap-2 text-sm">
              <Checkbox checked={place >= 0} onCheckedChange={(on) => change(on ? [...value, name] : value.filter((other) => other !== name))} />
              {name}
              {place >= 0 && value.length > 1 && <span className="text-xs text-muted tabular-nums">{place + 1}.</span>}
            </label>
          );
        })}
      </div>
    </fieldset>
  );
}

export function AddIndex({ project, table, close }: { project: string; table: TableDetails; close: () => void }) {
  const [columns, setColumns] = useState<string[]>([]);
  const [unique, setUnique] = useState(false);
  return (
    <Form
      title={`New index of ${table.name}`}
      description="Finds rows by these columns without reading them all."
      action="Add index"
      close={close}
      run={async () => {
        if (columns.length === 0) throw new Error("choose a column");
        await alter(project, table.name, { op: "add_index", index: { columns, unique } });
        toast.success("The index is there");
      }}
    >
      <Columns table={table} legend="Columns, in their order" value={columns} change={setColumns} />
      <Toggle label="Each combination occurs once" help="What is there has to be so already." checked={unique} change={setUnique} />
    </Form>
  );
}

/** A column that refers to a row of another table. */
export function AddForeignKey({ project, table, column, targets, close }: { project: string; table: string; column: string; targets: string[]; close: () => void }) {
  const [target, setTarget] = useState(targets[0] ?? "");
  const [onDelete, setOnDelete] = useState("restrict");
  return (
    <Form
      title={`${column} refers to…`}
      description="Every value has to be that of a row there."
      action="Add the reference"
      close={close}
      run={async () => {
        const [other, to] = target.split(".");
        if (!other || !to) throw new Error("there is no table with a key of one column");
        await alter(project, table, {
          op: "add_foreign_key",
          foreign_key: { columns: [column], table: other, references: [to], on_delete: onDelete as Schemas["OnDelete"] },
        });
        toast.success(`${column} refers to ${target}`);
      }}
    >
      <Field label="Rows of">
        <Select value={target} onChange={(event) => setTarget(event.target.value)}>
          {targets.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </Select>
      </Field>
      <Field label="When such a row is removed">
        <Select value={onDelete} onChange={(event) => setOnDelete(event.target.value)}>
          <option value="restrict">that is refused</option>
          <option value="cascade">the rows that refer to it go, too</option>
          <option value="set_null">they hold NULL instead</option>
        </Select>
      </Field>
    </Form>
  );
}

export function AddCheck({ project, table, close }: { project: string; table: string; close: () => void }) {
  const [expression, setExpression] = useState("");
  return (
    <Form
      title={`New condition of ${table}`}
      description="Holds for every row, whoever writes it."
      action="Add the condition"
      close={close}
      run={async () => {
        await alter(project, table, { op: "add_check", check: { expression: expression.trim() } });
        toast.success("The condition holds from now on");
      }}
    >
      <Field label="Condition, SQL">
        <Input required autoComplete="off" className="font-mono" placeholder="price >= 0" value={expression} onChange={(event) => setExpression(event.target.value)} />
      </Field>
    </Form>
  );
}
