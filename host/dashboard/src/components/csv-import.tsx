import { useMemo, useState } from "react";
import { toast } from "sonner";
import { api, reason, take } from "@/api/client";
import { type TableDetails, queryClient } from "@/api/queries";
import { parseCsv } from "@/lib/download";
import { count, plural } from "@/lib/format";
import { quote } from "@/lib/sql";
import { Note, Refusal } from "./states";
import { valueOf } from "./table-dialogs";
import { Button } from "./ui/button";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Select } from "./ui/input";

const batch = 100;

/** The rows of a CSV file into a table: which column is which, a look at the first rows, and how far it is. */
export function CsvImport({ project, table, file, close }: { project: string; table: TableDetails; file: { name: string; text: string }; close: () => void }) {
  const rows = useMemo(() => parseCsv(file.text), [file]);
  const [head = [], ...body] = rows;
  const columns = table.columns.filter((column) => !column.generated);
  const [mapping, setMapping] = useState(() =>
    head.map((name) => columns.find((column) => column.name.toLowerCase() === name.trim().toLowerCase())?.name ?? ""),
  );
  const [done, setDone] = useState<number>();
  const [error, setError] = useState<unknown>();
  const used = mapping.filter(Boolean);
  const twice = used.find((name, place) => used.indexOf(name) !== place);
  const run = async () => {
    setError(undefined);
    const chosen = mapping.flatMap((name, place) => {
      const column = columns.find((one) => one.name === name);
      return column ? [{ column, place }] : [];
    });
    const start = done ?? 0;
    for (let at = start; at < body.length; at += batch) {
      setDone(at);
      const part = body.slice(at, at + batch);
      const params: unknown[] = [];
      const tuples = part.map((row) => {
        const names = chosen.map(({ column, place }) => {
          const text = row[place] ?? "";
          params.push(text === "" && column.nullable ? null : valueOf(column, text));
          return `$${params.length}`;
        });
        return `(${names.join(", ")})`;
      });
      const sql = `INSERT INTO ${quote(table.name)} (${chosen.map(({ column }) => quote(column.name)).join(", ")}) VALUES ${tuples.join(", ")}`;
      try {
        await take(
          api.POST("/admin/v1/projects/{project}/sql", { params: { path: { project } }, body: { sql, params: params as never[], mode: "write" } }),
        );
      } catch (failure) {
        setError(new Error(`${count(at)} rows are in. Of the next ${part.length} none is: ${reason(failure)} Mend the file or the mapping, and go on from there.`));
        await queryClient.invalidateQueries({ queryKey: ["project", project, "tables", table.name] });
        return;
      }
    }
    await queryClient.invalidateQueries({ queryKey: ["project", project, "tables", table.name] });
    toast.success(`${plural(body.length - start, "row")} imported`);
    close();
  };
  const running = done !== undefined && !error;
  return (
    <DialogRoot open onOpenChange={(open) => !open && !running && close()}>
      <DialogContent
        className="max-w-3xl"
        title={`Import ${file.name}`}
        description={`${plural(body.length, "row")} into ${table.name}.`}
        footer={
          <>
            <Button onClick={close} disabled={running}>
              {done ? "Close" : "Cancel"}
            </Button>
            <Button variant="primary" pending={running} disabled={used.length === 0 || twice !== undefined || body.length === 0} onClick={() => void run()}>
              {done ? "Go on" : `Import ${plural(body.length, "row")}`}
            </Button>
          </>
        }
      >
        <div className="grid gap-4">
          {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
          <div className="relative overflow-x-auto rounded-md border border-border" tabIndex={0} role="region" aria-label="First rows">
            <table className="text-xs">
              <thead>
                <tr>
                  {head.map((name, place) => (
                    // Two columns of a file may have one name.
                    // oxlint-disable-next-line react/no-array-index-key
                    <th key={place} scope="col" className="min-w-40 border-r border-b border-border p-2 text-left align-top font-medium last:border-r-0">
                      <span className="mb-1.5 block truncate">{name}</span>
                      <Select
                        aria-label={`Goes into, ${name}`}
                        className="h-8 text-xs"
                        value={mapping[place] ?? ""}
                        onChange={(event) => setMapping(mapping.map((old, other) => (other === place ? event.target.value : old)))}
                      >
                        <option value="">left out</option>
                        {columns.map((column) => (
                          <option key={column.name} value={column.name}>
                            {column.name} ({column.data_type})
                          </option>
                        ))}
                      </Select>
                    </th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {body.slice(0, 5).map((row, line) => (
                  // oxlint-disable-next-line react/no-array-index-key
                  <tr key={line}>
                    {head.map((_, place) => (
                      // oxlint-disable-next-line react/no-array-index-key
                      <td key={place} className="max-w-56 truncate border-r border-border/60 px-2 py-1.5 font-mono last:border-r-0">
                        {row[place]}
                      </td>
                    ))}
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <Note>Empty cells become NULL where the column takes it. Rows go in by hundreds; a hundred that is refused goes in not at all.</Note>
          {twice && <Refusal error={new Error(`two columns of the file go into ${twice}`)} />}
          {done !== undefined && (
            <div>
              <div className="h-1.5 overflow-hidden rounded-full bg-raised">
                <div className="h-full bg-primary" style={{ width: `${(done / Math.max(1, body.length)) * 100}%` }} />
              </div>
              <p role="status" className="mt-1 text-xs text-muted">
                {count(done)} of {count(body.length)}
              </p>
            </div>
          )}
          <Refusal error={error} />
        </div>
      </DialogContent>
    </DialogRoot>
  );
}
