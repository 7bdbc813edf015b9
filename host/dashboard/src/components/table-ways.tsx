/** Ways to certain rows of a table: conditions, and going to one of them. */
import { ArrowDownToLine, Filter } from "lucide-react";
import { useState } from "react";
import type { Column } from "@/api/queries";
import { Refusal } from "@/components/states";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { Popover, PopoverContent, PopoverTrigger } from "@/components/ui/popover";

export const operators: [string, string][] = [
  ["eq", "is"],
  ["neq", "is not"],
  ["lt", "less than"],
  ["lte", "at most"],
  ["gt", "more than"],
  ["gte", "at least"],
  ["like", "is like (% for anything)"],
  ["is", "is NULL or not"],
];

export function AddFilter({ columns, add }: { columns: Column[]; add: (condition: string) => void }) {
  const [open, setOpen] = useState(false);
  const [column, setColumn] = useState(columns[0]?.name ?? "");
  const [operator, setOperator] = useState("eq");
  const [value, setValue] = useState("");
  return (
    <Popover open={open} onOpenChange={setOpen}>
      <PopoverTrigger asChild>
        <Button size="sm">
          <Filter aria-hidden /> Filter
        </Button>
      </PopoverTrigger>
      <PopoverContent className="w-72">
        <form
          className="grid gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            const text = operator === "is" ? value || "null" : value;
            add(`${column}.${operator}.${text.replaceAll(",", "\\,")}`);
            setValue("");
            setOpen(false);
          }}
        >
          <Field label="Column">
            <Select value={column} onChange={(event) => setColumn(event.target.value)}>
              {columns.map((one) => (
                <option key={one.name}>{one.name}</option>
              ))}
            </Select>
          </Field>
          <Field label="Condition">
            <Select value={operator} onChange={(event) => setOperator(event.target.value)}>
              {operators.map(([name, label]) => (
                <option key={name} value={name}>
                  {label}
                </option>
              ))}
            </Select>
          </Field>
          {operator === "is" ? (
            <Field label="Value">
              <Select value={value || "null"} onChange={(event) => setValue(event.target.value)}>
                <option value="null">NULL</option>
                <option value="not_null">not NULL</option>
              </Select>
            </Field>
          ) : (
            <Field label="Value">
              <Input value={value} onChange={(event) => setValue(event.target.value)} />
            </Field>
          )}
          <Button type="submit" variant="primary" size="sm">
            Add
          </Button>
        </form>
      </PopoverContent>
    </Popover>
  );
}

/** Asks which row: by its number as the rows stand, or by its key. */
export function GoTo({ keyName, go }: { keyName: string | undefined; go: (by: "number" | "key", value: string) => Promise<void> }) {
  const [open, setOpen] = useState(false);
  const [by, setBy] = useState<"number" | "key">("number");
  const [value, setValue] = useState("");
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <Popover open={open} onOpenChange={setOpen}>
      <PopoverTrigger asChild>
        <Button size="sm">
          <ArrowDownToLine aria-hidden /> Go to
        </Button>
      </PopoverTrigger>
      <PopoverContent className="w-64">
        <form
          className="grid gap-3"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              await go(by, value);
              setOpen(false);
            } catch (failure) {
              setError(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          {keyName !== undefined && (
            <Field label="By">
              <Select value={by} onChange={(event) => setBy(event.target.value === "key" ? "key" : "number")}>
                <option value="number">number of the row</option>
                <option value="key">key, {keyName}</option>
              </Select>
            </Field>
          )}
          {by === "key" && keyName !== undefined ? (
            <Field label={keyName} help="The first row with this key or one behind it, in the order of keys and without filters.">
              <Input required value={value} onChange={(event) => setValue(event.target.value)} />
            </Field>
          ) : (
            <Field label="Row" help="As the rows stand now, from 1.">
              <Input required type="number" min={1} step={1} value={value} onChange={(event) => setValue(event.target.value)} />
            </Field>
          )}
          <Refusal error={error} />
          <Button type="submit" variant="primary" size="sm" pending={pending}>
            Go
          </Button>
        </form>
      </PopoverContent>
    </Popover>
  );
}
