import { useQuery } from "@tanstack/react-query";
import { CircleX, Download, Trash2 } from "lucide-react";
import { useEffect, useMemo, useRef } from "react";
import { queryClient } from "@/api/queries";
import { bytes, count, moment, plural } from "@/lib/format";
import { useAction } from "@/lib/use-action";
import { type Col, DataTable } from "./data-table";
import { Progress } from "./progress";
import { Failure, Loading, Note, Refusal } from "./states";
import { Cut } from "./text";
import { type FileError, type Job, type RowError, type UserNote, cancelJob, deleteJob, goesOn, jobInWords, jobQuery, refreshJobs } from "./transfer-queries";
import { Badge, Dot, type Tone } from "./ui/badge";
import { Button } from "./ui/button";
import { DialogContent, DialogRoot } from "./ui/dialog";

const tones: Record<Job["status"], Tone> = { queued: "plain", running: "accent", done: "good", failed: "bad", cancelled: "plain" };

export function JobState({ status }: { status: Job["status"] }) {
  return (
    <Badge tone={tones[status]}>
      <Dot tone={tones[status]} /> {status}
    </Badge>
  );
}

/** How far a job is. */
export function JobProgress({ job, dry = false }: { job: Job; dry?: boolean }) {
  const { rows, rows_total, bytes: read, percent } = job.progress;
  return (
    <div className="grid gap-1.5">
      {goesOn(job) && <Progress label={jobInWords(job)} value={percent ?? undefined} of={percent === null ? undefined : 100} />}
      <p role="status" className="text-xs text-muted tabular-nums">
        {job.what === "files" ? "" : `${count(rows)}${rows_total === null ? "" : ` of ${count(rows_total)}`} ${rows === 1 && rows_total === null ? "row" : "rows"}${dry ? " would go in" : ""}`}
        {read > 0 && `${job.what === "files" ? "" : ", "}${bytes(read)} ${job.kind === "export" ? "written" : "read"}`}
        {job.status === "queued" && " · waits for its turn"}
      </p>
    </div>
  );
}

const ofFiles: Col<FileError>[] = [
  { id: "file", head: "File", sort: (one) => one.file, cell: (one) => <Cut text={one.file} mono className="max-w-60" /> },
  { id: "reason", head: "What is wrong", cell: (one) => <span className="block min-w-40 text-bad">{one.reason}</span> },
];

/** The files of a folder that could not be taken, and why. */
function FileErrors({ errors }: { errors: FileError[] }) {
  return (
    <section className="grid gap-2">
      <h3 className="text-[0.8125rem] font-medium">{plural(errors.length, "file")} cannot be stored, so none is</h3>
      <div className="rounded-md border border-border">
        <DataTable label="Files that were not taken" columns={ofFiles} rows={errors} rowKey={(one) => `${one.file} ${one.code}`} pageSize={10} empty={null} />
      </div>
    </section>
  );
}

const ofUsers: Col<UserNote>[] = [
  { id: "email", head: "User", sort: (one) => one.email, cell: (one) => <Cut text={one.email} className="max-w-60" /> },
  {
    id: "what",
    head: "What was not taken",
    cell: (one) => <span className="block min-w-40">{one.left_out ? one.left_out.join(", ") : <span className="text-bad">{one.reason}</span>}</span>,
  },
];

/** What became of an archive's users. */
export function JobUsers({ job }: { job: Job }) {
  const users = job.report?.users;
  if (!users) return null;
  const { there, added, waiting, notes } = users;
  return (
    <section className="grid gap-2">
      <p className="text-sm">
        {plural(there, "user")} of the archive {there === 1 ? "is" : "are"} here already, {added > 0 || waiting === 0 ? `${added} added` : `${waiting} would be added`}.
        {added > 0 && " They set a password by mail."}
      </p>
      {notes.length > 0 && (
        <div className="rounded-md border border-border">
          <DataTable label="Users of whom not everything was taken" columns={ofUsers} rows={notes} rowKey={(one) => one.email} pageSize={10} empty={null} />
        </div>
      )}
    </section>
  );
}

/** What could not be taken, and why. */
export function JobErrors({ job, dry = false }: { job: Job; dry?: boolean }) {
  const files = (job.report?.errors ?? []).filter((one): one is FileError => "file" in one);
  return files.length > 0 ? <FileErrors errors={files} /> : <RowErrors job={job} dry={dry} />;
}

/** The rows that could not be taken, and why. */
function RowErrors({ job, dry }: { job: Job; dry: boolean }) {
  const errors = useMemo(() => (job.report?.errors ?? []).filter((one): one is RowError => !("file" in one)), [job]);
  const failed = Math.max(job.report?.rows_failed ?? 0, errors.length);
  const columns = useMemo<Col<RowError>[]>(
    () => [
      ...(job.what === "database" ? [{ id: "table", head: "Table", sort: (one: RowError) => one.table, cell: (one: RowError) => one.table }] : []),
      { id: "row", head: "Row", sort: (one) => one.row, cell: (one) => <span className="tabular-nums">{count(one.row)}</span> },
      { id: "column", head: "Column", sort: (one) => one.column, cell: (one) => one.column ?? <span className="text-muted">–</span> },
      { id: "value", head: "Value", cell: (one) => (one.value === null ? <span className="text-muted">–</span> : <Cut text={one.value} mono className="max-w-40" />) },
      { id: "reason", head: "What is wrong", cell: (one) => <span className="block min-w-40 text-bad">{one.reason}</span> },
    ],
    [job.what],
  );
  if (failed === 0) return null;
  return (
    <section className="grid gap-2">
      <h3 className="text-[0.8125rem] font-medium">
        {plural(failed, "row")} {dry ? "would not be taken" : "not taken"}
        {errors.length > 0 && errors.length < failed && <span className="font-normal text-muted">, the first {errors.length} of them</span>}
      </h3>
      {errors.length > 0 && (
        <div className="rounded-md border border-border">
          <DataTable label="Rows that were not taken" columns={columns} rows={errors} rowKey={(one) => `${one.table} ${one.row} ${one.column} ${one.code}`} pageSize={10} empty={null} />
        </div>
      )}
    </section>
  );
}

/** One export or import: how far it is, and what came of it. */
export function JobSheet({ project, id, close }: { project: string; id: string; close: () => void }) {
  const { data: job, error, refetch } = useQuery(jobQuery(project, id));
  const { pending, run } = useAction();
  const was = useRef<string>(undefined);
  useEffect(() => {
    if (!job) return;
    if (was.current && was.current !== job.status) {
      void refreshJobs(project);
      if (job.kind === "import") void queryClient.invalidateQueries({ queryKey: ["project", project, "tables"] });
    }
    was.current = job.status;
  }, [job, project]);
  const facts: [string, string][] = job
    ? [
        ["Begun", moment(job.created_at)],
        ["Ended", job.finished_at ? moment(job.finished_at) : "–"],
        ...(job.expires_at ? ([["Kept until", moment(job.expires_at)]] as [string, string][]) : []),
        ...(job.result ? ([["Result", `${job.result.name}, ${bytes(job.result.size)}`]] as [string, string][]) : []),
        ...(job.result?.sha256 ? ([["SHA-256", job.result.sha256]] as [string, string][]) : []),
      ]
    : [];
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent
        side
        title={job ? (job.kind === "export" ? "Export" : "Import") : "Job"}
        description={job ? jobInWords(job) : "Loading"}
        footer={
          job && (
            <>
              {goesOn(job) ? (
                <Button
                  variant="danger"
                  pending={pending}
                  onClick={() =>
                    void run(async () => {
                      await cancelJob(project, id);
                      await refreshJobs(project);
                    }, "It is cancelled")
                  }
                >
                  <CircleX aria-hidden /> Cancel
                </Button>
              ) : (
                <Button
                  variant="danger"
                  pending={pending}
                  onClick={() =>
                    void run(async () => {
                      await deleteJob(project, id);
                      close();
                      await refreshJobs(project);
                    }, job.result ? "It is deleted with its result" : "It is deleted")
                  }
                >
                  <Trash2 aria-hidden /> Delete
                </Button>
              )}
              {job.result?.url && (
                <Button variant="primary" asChild>
                  <a href={job.result.url} download={job.result.name}>
                    <Download aria-hidden /> Download
                  </a>
                </Button>
              )}
            </>
          )
        }
      >
        {error && !job ? (
          <Failure error={error} retry={() => void refetch()} />
        ) : !job ? (
          <Loading />
        ) : (
          <div className="grid gap-5">
            <div className="flex items-center gap-2">
              <JobState status={job.status} />
            </div>
            <JobProgress job={job} />
            {job.error && <Refusal error={new Error(job.error.detail)} />}
            {job.report?.files && (
              <Note>
                {plural(job.report.files_taken ?? job.report.files.length, "file")}, {bytes(job.report.bytes ?? 0)}
                {job.report.dry_run ? " would be taken; nothing was stored." : " stored."}
              </Note>
            )}
            {(job.report?.files_left_out ?? 0) > 0 && (
              <Note>{plural(job.report?.files_left_out ?? 0, "file")} left out, as they were deleted meanwhile.</Note>
            )}
            {job.report?.counters_behind?.map((one) => (
              <Note key={one.sql}>
                New rows of {one.table} may get numbers in {one.column} that are taken, until an admin runs <code>{one.sql}</code>.
              </Note>
            ))}
            <JobErrors job={job} />
            <JobUsers job={job} />
            <dl className="grid grid-cols-[8rem_1fr] gap-y-1.5 text-[0.8125rem]">
              {facts.map(([name, value]) => (
                <div key={name} className="contents">
                  <dt className="text-muted">{name}</dt>
                  <dd className="break-all">{value}</dd>
                </div>
              ))}
            </dl>
          </div>
        )}
      </DialogContent>
    </DialogRoot>
  );
}
