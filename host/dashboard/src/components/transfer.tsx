import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { ArrowDownToLine, ArrowUpFromLine, Boxes, Download, FileUp } from "lucide-react";
import { type DragEvent, useMemo, useRef, useState } from "react";
import { toast } from "sonner";
import { reason } from "@/api/client";
import { installationsQuery, tablesQuery } from "@/api/queries";
import { cn } from "@/lib/cn";
import { bytes, count } from "@/lib/format";
import { useCursorPages, useWords } from "@/lib/pages";
import { type Col, DataTable } from "./data-table";
import { Progress } from "./progress";
import { Empty, Failure, Loading, Refusal } from "./states";
import { When } from "./text";
import { TransferImport } from "./transfer-import";
import { JobSheet, JobState } from "./transfer-job";
import { type Job, beginExport, goesOn, jobInWords, jobsQuery, refreshJobs } from "./transfer-queries";
import { Button } from "./ui/button";
import { Card, CardBody, CardHeader } from "./ui/card";
import { Checkbox } from "./ui/checkbox";
import { Field } from "./ui/field";
import { Select } from "./ui/input";

const formats: Record<string, [string, string][]> = {
  table: [
    ["csv", "CSV"],
    ["json", "JSON, one list"],
    ["ndjson", "JSON, a row a line"],
  ],
  database: [
    ["zip", "Archive that another project can take"],
    ["sql", "SQL statements"],
  ],
  files: [
    ["zip", "Archive to look into, by owner and path"],
    ["metadata", "Archive that another project can take"],
  ],
};

function Export({ project, files, open }: { project: string; files: boolean; open: (id: string) => void }) {
  const tables = useQuery(tablesQuery(project));
  const [what, setWhat] = useState("table");
  const [table, setTable] = useState("");
  const [format, setFormat] = useState("csv");
  const [delimiter, setDelimiter] = useState(",");
  const [formulas, setFormulas] = useState("neutralise");
  const [users, setUsers] = useState(false);
  const isArchive = what === "database" && format === "zip";
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  const choose = (next: string) => {
    setWhat(next);
    setFormat(formats[next]?.[0]?.[0] ?? "zip");
  };
  const named = table || tables.data?.items.find((one) => one.kind === "table")?.name || "";
  return (
    <Card>
      <CardHeader title="Export" description="Made in the background; the result can be downloaded here for three days." />
      <CardBody>
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              const job = await beginExport(project, {
                what,
                ...(what === "files" ? { metadata: format === "metadata" } : { format }),
                ...(what === "table" ? { table: named, formulas: format === "csv" ? formulas : "keep" } : {}),
                ...(what === "table" && format === "csv" ? { delimiter } : {}),
                ...(isArchive ? { users } : {}),
              });
              await refreshJobs(project);
              open(job.id);
            } catch (failure) {
              setError(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          <div className="grid gap-4 sm:grid-cols-2">
            <Field label="What">
              <Select value={what} onChange={(event) => choose(event.target.value)}>
                <option value="table">One table</option>
                <option value="database">All tables</option>
                {files && <option value="files">All files</option>}
              </Select>
            </Field>
            {what === "table" && (
              <Field label="Table">
                <Select required value={named} onChange={(event) => setTable(event.target.value)}>
                  {tables.data?.items
                    .filter((one) => one.kind === "table")
                    .map((one) => (
                      <option key={one.name}>{one.name}</option>
                    ))}
                </Select>
              </Field>
            )}
            <Field label="Format" className={what === "table" ? "" : "sm:col-span-1"}>
              <Select value={format} onChange={(event) => setFormat(event.target.value)}>
                {formats[what]?.map(([value, name]) => (
                  <option key={value} value={value}>
                    {name}
                  </option>
                ))}
              </Select>
            </Field>
            {what === "table" && format === "csv" && (
              <>
                <Field label="Between cells">
                  <Select value={delimiter} onChange={(event) => setDelimiter(event.target.value)}>
                    <option value=",">comma</option>
                    <option value=";">semicolon</option>
                    <option value={"\t"}>tab</option>
                    <option value="|">bar</option>
                  </Select>
                </Field>
                <Field label="Cells that look like formulas" help="Programs for tables would run them." className="sm:col-span-2">
                  <Select value={formulas} onChange={(event) => setFormulas(event.target.value)}>
                    <option value="neutralise">are disarmed by a ' before them</option>
                    <option value="keep">stay as they are</option>
                  </Select>
                </Field>
              </>
            )}
          </div>
          {isArchive && (
            <label className="flex cursor-pointer items-center gap-2 text-sm">
              <Checkbox checked={users} onCheckedChange={(on) => setUsers(on === true)} />
              With the project's users, without their passwords
            </label>
          )}
          <Refusal error={error} />
          <div>
            <Button type="submit" variant="primary" pending={pending} disabled={what === "table" && !named}>
              <ArrowDownToLine aria-hidden /> Export
            </Button>
          </div>
        </form>
      </CardBody>
    </Card>
  );
}

function Import({ take }: { take: (file: File) => void }) {
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const [file, ...more] = event.dataTransfer.files;
    if (more.length > 0) toast.error("One file at a time. Put several tables into one archive.");
    else if (file) take(file);
  };
  return (
    <Card className="flex flex-col">
      <CardHeader title="Import" description="Nothing goes in before you have seen what would." />
      <CardBody className="flex flex-1 flex-col">
        <div
          className={cn(
            "grid flex-1 content-center justify-items-center gap-2 rounded-lg border border-dashed px-4 py-8 text-center",
            over ? "border-primary bg-accent/40" : "border-input",
          )}
          onDragOver={(event) => {
            if (!event.dataTransfer.types.includes("Files")) return;
            event.preventDefault();
            setOver(true);
          }}
          onDragLeave={() => setOver(false)}
          onDrop={drop}
        >
          <FileUp className="size-6 text-accent-foreground" aria-hidden />
          <p className="text-sm font-medium">Drop a file here</p>
          <p className="max-w-64 text-xs text-muted">CSV, JSON or NDJSON for a table; a zip for all tables, or for files.</p>
          <Button className="mt-1" onClick={() => input.current?.click()}>
            <ArrowUpFromLine aria-hidden /> Choose a file
          </Button>
          <input
            ref={input}
            type="file"
            className="hidden"
            aria-label="File to import"
            accept=".csv,.tsv,.txt,.json,.ndjson,.jsonl,.zip"
            onChange={(event) => {
              const file = event.target.files?.[0];
              if (file) take(file);
              event.target.value = "";
            }}
          />
        </div>
      </CardBody>
    </Card>
  );
}

function Jobs({ project, open }: { project: string; open: (id: string) => void }) {
  const { cursor, pager } = useCursorPages();
  const { data, error, refetch, isPlaceholderData } = useQuery({ ...jobsQuery(project, cursor), placeholderData: keepPreviousData });
  const columns = useMemo<Col<Job>[]>(
    () => [
      {
        id: "job",
        head: "Job",
        sort: (job) => job.kind,
        cell: (job) => (
          <button type="button" className="group block max-w-64 text-left" onClick={() => open(job.id)}>
            <span className="flex items-center gap-2 font-medium group-hover:underline">
              {job.kind === "export" ? <ArrowDownToLine className="size-4 text-muted" aria-hidden /> : <ArrowUpFromLine className="size-4 text-muted" aria-hidden />}
              {job.kind === "export" ? "Export" : "Import"}
            </span>
            <span className="block truncate text-xs text-muted">{jobInWords(job)}</span>
          </button>
        ),
      },
      {
        id: "status",
        head: "State",
        sort: (job) => job.status,
        cell: (job) =>
          goesOn(job) ? (
            <span className="grid w-28 gap-1">
              <Progress label={jobInWords(job)} value={job.progress.percent ?? undefined} of={job.progress.percent === null ? undefined : 100} />
              <span className="text-xs text-muted">{job.status}</span>
            </span>
          ) : (
            <JobState status={job.status} />
          ),
      },
      {
        id: "rows",
        head: "Rows",
        wide: true,
        sort: (job) => job.progress.rows,
        cell: (job) => <span className="tabular-nums">{job.what === "files" ? "–" : count(job.progress.rows)}</span>,
      },
      {
        id: "size",
        head: "Result",
        wide: true,
        sort: (job) => job.result?.size,
        cell: (job) =>
          job.error ? <span className="block max-w-64 truncate text-bad" title={reason(job.error.detail)}>{reason(job.error.detail)}</span> : job.result ? bytes(job.result.size) : <span className="text-muted">–</span>,
      },
      { id: "at", head: "Begun", sort: (job) => job.created_at, cell: (job) => <When at={job.created_at} /> },
    ],
    [open],
  );
  return (
    <Card>
      <CardHeader title="Exports and imports" />
      <DataTable
        sortWord="by"
        label="Exports and imports"
        columns={columns}
        rows={data?.items}
        error={error}
        retry={() => void refetch()}
        stale={isPlaceholderData}
        rowKey={(job) => job.id}
        pager={pager(data?.next_cursor)}
        empty={
          <Empty icon={Download} title="None yet" className="py-8">
            What you export or import is listed here, with its result, until it expires.
          </Empty>
        }
      />
    </Card>
  );
}

/** Tables and files out of a project and into it, as the plugin `transfer` does it. */
export function Transfer({ project }: { project: string }) {
  const [words, change] = useWords<"job">();
  const plugins = useQuery(installationsQuery(project));
  const [file, setFile] = useState<File>();
  const open = useMemo(() => (id: string) => change({ job: id }), [change]);
  if (plugins.error && !plugins.data) return <Failure error={plugins.error} retry={() => void plugins.refetch()} />;
  if (!plugins.data) return <Loading />;
  const has = (name: string) => plugins.data.items.some((one) => one.name === name && one.enabled);
  if (!has("transfer")) {
    return (
      <Card>
        <Empty
          icon={Boxes}
          title="The plugin transfer is not switched on"
          action={
            <Button variant="primary" asChild>
              <Link to="/projects/$project/plugins" params={{ project }}>
                To the plugins
              </Link>
            </Button>
          }
        >
          It moves tables and files out of this project and into it, in the background, in formats that other programs read.
        </Empty>
      </Card>
    );
  }
  return (
    <div className="grid gap-4">
      <div className="grid gap-4 lg:grid-cols-2">
        <Export key={project} project={project} files={has("files")} open={open} />
        <Import take={setFile} />
      </div>
      <Jobs project={project} open={open} />
      {file && <TransferImport project={project} file={file} files={has("files")} close={() => setFile(undefined)} />}
      {words.job && <JobSheet key={words.job} project={project} id={words.job} close={() => change({ job: undefined })} />}
    </div>
  );
}
