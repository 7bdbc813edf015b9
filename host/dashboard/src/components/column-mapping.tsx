import type { Column } from "@/api/queries";
import { FirstRows } from "./first-rows";
import { Select } from "./ui/input";

export interface SourceColumn {
  name: string;
  /** What its values look like. */
  kind?: string;
}

/** Which values a column takes, of what others look like. */
const takes: Record<string, string[]> = {
  integer: ["integer"],
  real: ["integer", "numeric"],
  numeric: ["integer", "numeric"],
  boolean: ["boolean", "integer"],
  timestamp: ["timestamp", "date"],
  date: ["date"],
  uuid: ["uuid"],
};

/** Whether what a column of a source looks like fits a column of a table. */
export const fits = (kind: string | undefined, column: Column): boolean => {
  const known = takes[column.kind];
  return kind === undefined || !known || known.includes(kind);
};

interface Props {
  columns: SourceColumn[];
  rows: (string | null | undefined)[][];
  into: Column[];
  /** The column of the table for each of the source; empty for what is left out. */
  mapping: string[];
  change: (mapping: string[]) => void;
}

/** The first rows of a source, and which of its columns goes where. */
export function ColumnMapping({ columns, rows, into, mapping, change }: Props) {
  const head = (place: number) => {
    const { name = "", kind } = columns[place] ?? {};
    const target = into.find((column) => column.name === mapping[place]);
    return (
      <>
        <span className="mb-1.5 flex items-baseline gap-1.5">
          <span className="truncate">{name}</span>
          {kind && <span className="font-mono text-[0.6875rem] font-normal text-muted">{kind}</span>}
        </span>
        <Select
          aria-label={`Goes into, ${name}`}
          className="h-8 text-xs"
          value={mapping[place] ?? ""}
          onChange={(event) => change(mapping.map((old, other) => (other === place ? event.target.value : old)))}
        >
          <option value="">left out</option>
          {into.map((column) => (
            <option key={column.name} value={column.name}>
              {column.name} ({column.data_type})
            </option>
          ))}
        </Select>
        {target && !fits(kind, target) && (
          <span className="mt-1 block max-w-56 font-normal text-warn">
            Some values are no {target.kind}, but {kind}.
          </span>
        )}
      </>
    );
  };
  return <FirstRows columns={columns} rows={rows} width="min-w-40" head={head} />;
}
