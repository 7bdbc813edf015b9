import type { Column } from "@/api/queries";
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
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="relative overflow-x-auto rounded-md border border-border" tabIndex={0} role="region" aria-label="First rows">
      <table className="w-full text-xs">
        <thead>
          <tr>
            {columns.map(({ name, kind }, place) => {
              const target = into.find((column) => column.name === mapping[place]);
              return (
                // Two columns of a file may have one name.
                // oxlint-disable-next-line react/no-array-index-key
                <th key={place} scope="col" className="min-w-40 border-r border-b border-border p-2 text-left align-top font-medium last:border-r-0">
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
                </th>
              );
            })}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, line) => (
            // oxlint-disable-next-line react/no-array-index-key
            <tr key={line}>
              {columns.map((_, place) => (
                // oxlint-disable-next-line react/no-array-index-key
                <td key={place} className="max-w-56 truncate border-r border-border/60 px-2 py-1.5 font-mono last:border-r-0">
                  {row[place] === null ? <span className="text-muted italic">nothing</span> : row[place]}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
