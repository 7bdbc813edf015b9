import { useQuery } from "@tanstack/react-query";
import { useMemo, useState } from "react";
import { toast } from "sonner";
import { api, reason, take } from "@/api/client";
import { type TableDetails, queryClient } from "@/api/queries";
import { parseCsv } from "@/lib/download";
import { count, plural } from "@/lib/format";
import { quote } from "@/lib/sql";
import { ColumnMapping } from "./column-mapping";
import { Progress } from "./progress";
import { Loading, Note, Refusal } from "./states";
import { valueOf } from "./table-dialogs";
import { Button } from "./ui/button";
import { DialogContent, DialogRoot } from "./ui/dialog";

const batch = 100;

interface Props {
  project: string;
  table: TableDetails;
  file: File;
  close: () => void;
}

/** A CSV file into a table where the plugin `transfer` is not there to take it. */
export function CsvImport({ project, table, file, close }: Props) {
  const { data: text, error } = useQuery({
    queryKey: ["csv", file.name, file.size, file.lastModified],
    queryFn: () => file.text(),
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
  });
  if (text !== undefined) return <Whole project={project} table={table} name={file.name} text={text} close={close} />;
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent title={`Import ${file.name}`}>{error ? <Refusal error={error} /> : <Loading />}</DialogContent>
    </DialogRoot>
  );
}

/** The rows of a CSV file into a table: which column is which, a look at the first rows, and how far it is. */
function Whole({ project, table, name, text, close }: Omit<Props, "file"> & { name: string; text: string }) {
  const rows = useMemo(() => parseCsv(text), [text]);
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
        title={`Import ${name}`}
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
          <ColumnMapping
            columns={head.map((name) => ({ name }))}
            rows={body.slice(0, 5)}
            into={columns}
            mapping={mapping}
            change={setMapping}
          />
          <Note>Empty cells become NULL where the column takes it. Rows go in by hundreds; a hundred that is refused goes in not at all.</Note>
          {twice && <Refusal error={new Error(`two columns of the file go into ${twice}`)} />}
          {done !== undefined && (
            <div>
              <Progress value={done} of={body.length} label="Import" />
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
