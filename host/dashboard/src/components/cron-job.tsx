/** One job of `cron`: when it runs next, what came of its runs, and what an admin can do about it. */
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { ChevronRight, History, Pencil, Play, Trash2 } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { plugin, pluginText } from "@/api/client";
import { milliseconds, moment, plural } from "@/lib/format";
import { useAction } from "@/lib/use-action";
import { Confirm } from "./confirm";
import { Explained } from "./cron-explained";
import { type CronJob, type CronRun, type Status, cronJobQuery, cronRunsQuery, refreshCron, sealed } from "./cron-queries";
import { Empty, Failure, Loading } from "./states";
import { Code, CopyButton, When } from "./text";
import { Badge, Dot, type Tone } from "./ui/badge";
import { Button } from "./ui/button";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Select } from "./ui/input";
import { Switch } from "./ui/switch";

const tones: Record<Status, Tone> = { running: "accent", success: "good", fail: "bad", timeout: "bad", missed: "warn" };
const words: Record<Status, string> = { running: "running", success: "succeeded", fail: "failed", timeout: "took too long", missed: "missed" };

export function RunBadge({ status }: { status: Status }) {
  return (
    <Badge tone={tones[status]}>
      <Dot tone={tones[status]} /> {words[status]}
    </Badge>
  );
}

/** What a job calls, in a line. */
export function calls(job: CronJob): string {
  if (job.http) return `${job.http.method} ${job.http.url}`;
  if (job.plugin) return `${job.plugin.method} ${job.plugin.path} of ${job.plugin.name}`;
  return { backup: "backs the project up", export: "exports the project", cleanup: "tidies the project up" }[job.action ?? ""] ?? job.action ?? "";
}

export const setEnabled = (project: string, id: string, enabled: boolean) =>
  plugin<CronJob>(project, `/cron/jobs/${encodeURIComponent(id)}`, { method: "PATCH", json: { enabled } }).then(async (job) => {
    await refreshCron(project);
    return job;
  });

export const runNow = (project: string, id: string) =>
  plugin<CronRun>(project, `/cron/jobs/${encodeURIComponent(id)}/run`, { method: "POST" }).then(async (run) => {
    await refreshCron(project);
    return run;
  });

export const removeJob = (project: string, id: string) =>
  plugin(project, `/cron/jobs/${encodeURIComponent(id)}`, { method: "DELETE" }).then(() => refreshCron(project));

function Log({ project, run }: { project: string; run: CronRun }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["project", project, "cron", "log", run.id, run.finished_at, run.attempt],
    queryFn: ({ signal }) => pluginText(project, `/cron/runs/${encodeURIComponent(run.id)}/log`, { signal }),
  });
  if (error && !data) return <Failure error={error} retry={() => void refetch()} />;
  if (data === undefined) return <Loading rows={2} />;
  if (data === "") return <p className="text-xs text-muted">Nothing was sent, so there is no log.</p>;
  return <Code text={data} label="Copy the log" />;
}

function RunLine({ project, run, zone }: { project: string; run: CronRun; zone: string }) {
  const [open, setOpen] = useState(false);
  return (
    <li className="border-b border-border last:border-0">
      <button type="button" aria-expanded={open} className="flex w-full flex-wrap items-center gap-x-3 gap-y-1 px-3 py-2 text-left text-sm hover:bg-raised/40" onClick={() => setOpen(!open)}>
        <ChevronRight className={`size-4 shrink-0 text-muted transition-transform ${open ? "rotate-90" : ""}`} aria-hidden />
        <RunBadge status={run.status} />
        <span className="min-w-0 flex-1 truncate text-xs text-muted" title={run.error_text ?? ""}>
          {run.error_text ?? (run.http_status ? `answered ${run.http_status}` : "")}
        </span>
        {run.duration_ms !== null && <span className="text-xs text-muted tabular-nums">{milliseconds(run.duration_ms)}</span>}
        <span className="text-xs">
          <When at={run.scheduled_at} />
        </span>
      </button>
      {open && (
        <div className="grid gap-3 px-3 pb-3">
          {run.error_text && <p className="rounded-md bg-bad-soft px-3 py-2 text-[0.8125rem] break-words text-bad">{run.error_text}</p>}
          <p className="text-xs text-muted">
            Due {moment(run.scheduled_at)}
            {run.started_at && `, begun ${moment(run.started_at)}`}
            {run.finished_at && `, ended ${moment(run.finished_at)}`} ({zone}); {plural(run.attempt, "attempt")}.
          </p>
          <Log project={project} run={run} />
        </div>
      )}
    </li>
  );
}

function Runs({ project, job }: { project: string; job: CronJob }) {
  const [status, setStatus] = useState("");
  const { data, error, refetch, hasNextPage, fetchNextPage, isFetchingNextPage } = useInfiniteQuery({
    ...cronRunsQuery(project, job.id, status || undefined),
    refetchInterval: 2_000,
  });
  const runs = data?.pages.flatMap((page) => page.items);
  return (
    <section>
      <div className="mb-2 flex items-center gap-3">
        <h3 className="flex-1 text-[0.8125rem] font-medium">History</h3>
        <Select aria-label="Runs that are shown" className="h-8 w-36 text-xs" value={status} onChange={(event) => setStatus(event.target.value)}>
          <option value="">All runs</option>
          {Object.entries(words).map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </Select>
      </div>
      {error && !runs ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : !runs ? (
        <Loading rows={3} />
      ) : runs.length === 0 ? (
        <div className="rounded-md border border-border">
          <Empty icon={History} title={status ? "No run is like that" : "It has not run yet"} className="py-8">
            {!status && "Run it now to see whether it works."}
          </Empty>
        </div>
      ) : (
        <ul aria-label="Runs" className="rounded-md border border-border">
          {runs.map((run) => (
            <RunLine key={run.id} project={project} run={run} zone="your time" />
          ))}
        </ul>
      )}
      {hasNextPage && (
        <Button size="sm" className="mt-2" pending={isFetchingNextPage} onClick={() => void fetchNextPage()}>
          Older runs
        </Button>
      )}
    </section>
  );
}

function Facts({ job }: { job: CronJob }) {
  const headers = Object.entries(job.http?.headers ?? {});
  const content = job.http?.body ?? job.plugin?.body ?? job.payload;
  const facts: [string, React.ReactNode][] = [
    ["Calls", <span key="calls" className="break-all">{calls(job)}</span>],
    ...(headers.length > 0
      ? [
          [
            "Headers",
            <ul key="headers" className="grid gap-0.5 font-mono text-xs">
              {headers.map(([name, value]) => (
                <li key={name} className="break-all">
                  {name}: <span className="text-muted">{value === sealed ? "sealed" : value}</span>
                </li>
              ))}
            </ul>,
          ] as [string, React.ReactNode],
        ]
      : []),
    ["Time-out", milliseconds(job.timeout_ms)],
    ["Retries", job.retries === 0 ? "none" : `${job.retries}, the first after ${milliseconds(job.retry_backoff_ms)}`],
    ["Missed times", { skip: "are let go", once: "are made up for with one run", all: "are made up for, each" }[job.catch_up]],
    ["Overlap", job.overlap ? "runs may overlap" : "one run at a time"],
    ["Tells", job.notify.on.length === 0 ? "nobody" : `${job.notify.on.join(", ")}; ${plural(job.notify.user_ids.length, "user")}${job.notify.webhook_url ? " and a webhook" : ""}`],
  ];
  return (
    <div className="grid gap-3">
      <dl className="grid grid-cols-[7rem_1fr] gap-y-1.5 text-[0.8125rem]">
        {facts.map(([name, value]) => (
          <div key={name} className="contents">
            <dt className="text-muted">{name}</dt>
            <dd className="min-w-0">{value}</dd>
          </div>
        ))}
      </dl>
      {content !== undefined && content !== null && <Code text={JSON.stringify(content, null, 2)} label="Copy the body" />}
    </div>
  );
}

export function CronJobSheet({ project, id, close, edit }: { project: string; id: string; close: () => void; edit: (job: CronJob) => void }) {
  const { data: job, error, refetch } = useQuery(cronJobQuery(project, id));
  const { pending, run } = useAction();
  const [removing, setRemoving] = useState(false);
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent
        side
        className="max-w-2xl"
        title={job?.name ?? "Job"}
        description={
          <span className="flex items-center font-mono text-xs">
            {id}
            <CopyButton text={id} label="Copy the id" />
          </span>
        }
        footer={
          job && (
            <>
              <Button variant="danger" onClick={() => setRemoving(true)}>
                <Trash2 aria-hidden /> Delete
              </Button>
              <Button onClick={() => edit(job)}>
                <Pencil aria-hidden /> Change
              </Button>
              <Button variant="primary" pending={pending} onClick={() => void run(() => runNow(project, id), "It runs")}>
                <Play aria-hidden /> Run now
              </Button>
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
            <div className="flex flex-wrap items-center gap-3">
              <label className="flex items-center gap-2 text-sm">
                <Switch
                  aria-label={`${job.name} is on`}
                  checked={job.enabled}
                  disabled={pending}
                  onCheckedChange={(enabled) => void run(() => setEnabled(project, id, enabled), enabled ? "It runs by its schedule again" : "It is off; runs that have begun end")}
                />
                {job.enabled ? "On" : "Off"}
              </label>
              {job.last_status && (
                <span className="flex items-center gap-2 text-xs text-muted">
                  <RunBadge status={job.last_status} /> <When at={job.last_run_at} />
                </span>
              )}
              <code className="ml-auto rounded bg-raised px-1.5 py-0.5 text-xs">{job.schedule}</code>
            </div>
            <Explained project={project} schedule={job.schedule} timezone={job.timezone} />
            <Runs project={project} job={job} />
            <section>
              <h3 className="mb-2 text-[0.8125rem] font-medium">What it does</h3>
              <Facts job={job} />
            </section>
          </div>
        )}
        {job && (
          <Confirm
            open={removing}
            onOpenChange={setRemoving}
            title={`Delete ${job.name}?`}
            action="Delete the job"
            run={async () => {
              await removeJob(project, id);
              toast.success("The job is deleted");
              close();
            }}
          >
            <p>Its runs and their logs are gone with it, for good. A run that has begun is cancelled.</p>
          </Confirm>
        )}
      </DialogContent>
    </DialogRoot>
  );
}
