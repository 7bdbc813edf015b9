import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { AlarmClock, EllipsisVertical, Pencil, Play, Plus, Trash2 } from "lucide-react";
import { useMemo, useState } from "react";
import { toast } from "sonner";
import { Confirm } from "@/components/confirm";
import { CronForm } from "@/components/cron-form";
import { CronJobSheet, RunBadge, calls, removeJob, runNow, setEnabled } from "@/components/cron-job";
import { type CronJob, cronJobsQuery } from "@/components/cron-queries";
import { type Col, DataTable } from "@/components/data-table";
import { NeedsPlugin, usePluginOn } from "@/components/needs-plugin";
import { PageHeader } from "@/components/page";
import { Empty } from "@/components/states";
import { When } from "@/components/text";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "@/components/ui/menu";
import { Switch } from "@/components/ui/switch";
import { WhenIn } from "@/components/when-in";
import { cronInWords } from "@/lib/cron";
import { useCursorPages, useWords } from "@/lib/pages";
import { useAction } from "@/lib/use-action";
import { useProject } from "@/lib/use-project";

function Jobs({ project, create }: { project: string; create: React.ReactNode }) {
  const [words, change] = useWords<"job" | "new" | "edit" | "pages">();
  const { cursor, pager } = useCursorPages();
  const { data, error, refetch, isPlaceholderData } = useQuery(cronJobsQuery(project, cursor));
  const [editing, setEditing] = useState<CronJob>();
  const [removing, setRemoving] = useState<CronJob>();
  const { pending, run } = useAction();
  const columns = useMemo<Col<CronJob>[]>(
    () => [
      {
        id: "name",
        head: "Job",
        sort: (job) => job.name,
        className: "max-w-0 w-2/5",
        cell: (job) => (
          <button type="button" className="block w-full text-left" onClick={() => change({ job: job.id })}>
            <span className="block truncate font-medium hover:underline" title={job.name}>
              {job.name}
            </span>
            <span className="block truncate text-xs text-muted" title={calls(job)}>
              {calls(job)}
            </span>
          </button>
        ),
      },
      {
        id: "schedule",
        head: "Schedule",
        wide: true,
        cell: (job) => (
          <span className="block max-w-64">
            <code className="text-xs">{job.schedule}</code>
            <span className="block truncate text-xs text-muted" title={cronInWords(job.schedule)}>
              {cronInWords(job.schedule) ?? job.timezone}
            </span>
          </span>
        ),
      },
      {
        id: "next",
        head: "Next run",
        wide: true,
        sort: (job) => job.next_run_at,
        cell: (job) => (job.next_run_at ? <WhenIn at={job.next_run_at} zone={job.timezone} /> : <span className="text-muted">{job.on_hold ? "on hold, in the queue's schedules" : "–"}</span>),
      },
      {
        id: "last",
        head: "Last run",
        sort: (job) => job.last_run_at,
        cell: (job) =>
          job.last_status ? (
            <span className="grid justify-items-start gap-0.5 text-xs text-muted">
              <RunBadge status={job.last_status} /> <When at={job.last_run_at} />
            </span>
          ) : (
            <Badge>never</Badge>
          ),
      },
      {
        id: "on",
        head: "On",
        sort: (job) => job.enabled,
        cell: (job) => (
          <Switch
            aria-label={`${job.name} is on`}
            checked={job.enabled}
            disabled={pending}
            onCheckedChange={(enabled) => void run(() => setEnabled(project, job.id, enabled), enabled ? "It runs by its schedule" : "It is off")}
          />
        ),
      },
      {
        id: "actions",
        head: "Actions",
        hiddenHead: true,
        className: "w-12",
        cell: (job) => (
          <Menu>
            <MenuTrigger asChild>
              <Button variant="ghost" size="icon-sm" aria-label={`Actions for ${job.name}`}>
                <EllipsisVertical aria-hidden />
              </Button>
            </MenuTrigger>
            <MenuContent>
              <MenuItem onSelect={() => void run(() => runNow(project, job.id), "It runs").then((ok) => ok && change({ job: job.id }))}>
                <Play aria-hidden /> Run now
              </MenuItem>
              <MenuItem onSelect={() => setEditing(job)}>
                <Pencil aria-hidden /> Change
              </MenuItem>
              <MenuSeparator />
              <MenuItem danger onSelect={() => setRemoving(job)}>
                <Trash2 aria-hidden /> Delete…
              </MenuItem>
            </MenuContent>
          </Menu>
        ),
      },
    ],
    [change, pending, project, run],
  );
  return (
    <>
      <Card>
        <DataTable
          sortWord="by"
          label="Jobs"
          columns={columns}
          rows={data?.items}
          error={error}
          retry={() => void refetch()}
          stale={isPlaceholderData}
          rowKey={(job) => job.id}
          pager={pager(data?.next_cursor)}
          empty={
            <Empty icon={AlarmClock} title="No jobs yet" action={create}>
              A job calls an address, a plugin or the platform by the clock, tries again when that fails, and keeps a log.
            </Empty>
          }
        />
      </Card>
      {words.job && !editing && (
        <CronJobSheet key={words.job} project={project} id={words.job} close={() => change({ job: undefined })} edit={setEditing} />
      )}
      {(words.new || editing) && (
        <CronForm
          key={editing?.id ?? "new"}
          project={project}
          job={editing}
          close={() => {
            setEditing(undefined);
            if (words.new) change({ new: undefined });
          }}
          done={(job) => {
            setEditing(undefined);
            change({ new: undefined, job: job.id });
          }}
        />
      )}
      {removing && (
        <Confirm
          open
          onOpenChange={(open) => !open && setRemoving(undefined)}
          title={`Delete ${removing.name}?`}
          action="Delete the job"
          run={async () => {
            await removeJob(project, removing.id);
            toast.success("The job is deleted");
          }}
        >
          <p>Its runs and their logs are gone with it, for good. A run that has begun is cancelled.</p>
        </Confirm>
      )}
    </>
  );
}

export function Cron() {
  const project = useProject();
  const [, change] = useWords<"new">();
  const on = usePluginOn(project, "cron");
  const create = (
    <Button variant="primary" onClick={() => change({ new: "true" })}>
      <Plus aria-hidden /> New job
    </Button>
  );
  return (
    <>
      <PageHeader
        title="Cron"
        description={
          <>
            Jobs by the clock. What plugins do by schedules of their own is among the{" "}
            <Link className="underline underline-offset-2" to="/projects/$project/queue" params={{ project }} search={{ tab: "schedules" }}>
              schedules of the queue
            </Link>
            .
          </>
        }
        {...(on ? { actions: create } : {})}
      />
      <NeedsPlugin project={project} name="cron" icon={AlarmClock} title="The plugin for jobs by the clock is not on" what="Install cron: then jobs are made here that call an address, a plugin or the platform.">
        <Jobs project={project} create={create} />
      </NeedsPlugin>
    </>
  );
}
