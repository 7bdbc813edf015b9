import type { ReactNode } from "react";
import { cn } from "@/lib/cn";

interface Props {
  columns: { name: string }[];
  rows: (string | null | undefined)[][];
  /** How wide a column is at least. */
  width: string;
  /** What stands above a column, besides its rows. */
  head: (place: number) => ReactNode;
}

/** The first rows of a source, below what is said of each of its columns. */
export function FirstRows({ columns, rows, width, head }: Props) {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="relative overflow-x-auto rounded-md border border-border" tabIndex={0} role="region" aria-label="First rows">
      <table className="w-full text-xs">
        <thead>
          <tr>
            {columns.map((_, place) => (
              // Two columns of a file may have one name.
              // oxlint-disable-next-line react/no-array-index-key
              <th key={place} scope="col" className={cn("border-r border-b border-border p-2 text-left align-top font-medium last:border-r-0", width)}>
                {head(place)}
              </th>
            ))}
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
