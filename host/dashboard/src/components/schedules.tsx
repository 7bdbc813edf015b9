/** Schedules of all plugins of a project: paused, gone on with, run out of turn. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { CalendarClock, Pause, Play, SkipForward } from "lucide-react";
import { useMemo } from "react";
import { type Schemas, api, take } from "@/api/client";
import { installationsQuery, queryClient } from "@/api/queries";
import { cronInWords, localZone, momentIn } from "@/lib/cron";
import { moment, plural } from "@/lib/format";
import { useCursorPages, useWords } from "@/lib/pages";
import { useAction } from "@/lib/use-action";
import { type Col, DataTable } from "./data-table";
import { Empty, Failure, Loading, Note } from "./states";
import { Code, When } from "./text";
import { Badge, Dot } from "./ui/badge";
import { Button } from "./ui/button";
import { Card } from "./ui/card";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Select } from "./ui/input";
import { WhenIn } from "./when-in";

type Schedule = Schemas["ScheduleView"];

const key = (project: string) => ["project", project, "schedules"];

async function act(project: string, id: string, what: "pause" | "resume" | "run"): Promise<string | undefined> {
  const params = { params: { path: { project, id } } };
  let job: string | undefined;
  if (what === "run") job = (await take(api.POST("/admin/v1/projects/{project}/schedules/{id}/run", params))).job;
  else if (what === "pause") await take(api.POST("/admin/v1/projects/{project}/schedules/{id}/pause", params));
  else await take(api.POST("/admin/v1/projects/{project}/schedules/{id}/resume", params));
  await Promise.all([
    queryClient.invalidateQueries({ queryKey: key(project) }),
    queryClient.invalidateQueries({ queryKey: ["project", project, "queue"] }),
  ]);
  return job;
}

function Standing({ schedule }: { schedule: Schedule }) {
  const [tone, word] = schedule.suspended
    ? (["warn", "plugin is off"] as const)
    : schedule.paused
      ? (["warn", "on hold"] as const)
      : schedule.enabled
        ? (["good", "on"] as const)
        : (["plain", "off"] as const);
  return (
    <Badge tone={tone}>
      <Dot tone={tone} /> {word}
    </Badge>
  );
}

const readableJob = (job: string) => (job.startsWith("platform:") ? `${job.slice(9)} by the platform` : job);

function Whole({ project, id, close, open }: { project: string; id: string; close: () => void; open: (item: string) => void }) {
  const { data, error, refetch } = useQuery({
    queryKey: [...key(project), "one", id],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/schedules/{id}", { params: { path: { project, id } }, signal })),
    refetchInterval: 5_000,
  });
  const { pending, run } = useAction();
  const facts: [string, React.ReactNode][] = data
    ? [
        ["Plugin", data.plugin],
        ["Does", readableJob(data.job)],
        ["Last time", data.last_due_at ? moment(data.last_due_at) : "never"],
        ["Times that went by", data.missed === 0 ? "none" : `${data.missed}, the last ${data.last_missed_at ? moment(data.last_missed_at) : ""}`],
        ["Made up for", { skip: "no", once: "with one run", all: "each of them" }[data.catch_up] ?? data.catch_up],
        ["Overlap", data.overlap ? "runs may overlap" : "one run at a time"],
        ["Made", data.fixed ? "by the plugin's manifest" : moment(data.created_at)],
      ]
    : [];
  return (
    <DialogRoot open onOpenChange={(next) => !next && close()}>
      <DialogContent
        side
        title={data?.name ?? "Schedule"}
        description={id}
        footer={
          data && (
            <>
              <Button
                pending={pending}
                onClick={() => void run(() => act(project, id, data.paused ? "resume" : "pause"), data.paused ? "It goes on" : "It is on hold until you let it go on")}
              >
                {data.paused ? <Play aria-hidden /> : <Pause aria-hidden />} {data.paused ? "Go on" : "Put on hold"}
              </Button>
              <Button variant="primary" pending={pending} onClick={() => void run(() => act(project, id, "run"), "Its job is in the queue")}>
                <SkipForward aria-hidden /> Run now
              </Button>
            </>
          )
        }
      >
        {error && !data ? (
          <Failure error={error} retry={() => void refetch()} />
        ) : !data ? (
          <Loading />
        ) : (
          <div className="grid gap-4">
            <div className="flex flex-wrap items-center gap-2">
              <Standing schedule={data} />
              <code className="rounded bg-raised px-1.5 py-0.5 text-xs">{data.expression}</code>
              <span className="text-xs text-muted">{data.zone}</span>
            </div>
            {data.suspended && <Note tone="warn">The plugin is off. The schedule goes on when it is on again.</Note>}
            <p className="text-sm font-medium">{cronInWords(data.expression) ?? "An expression of its own; its times are below"}.</p>
            <table className="w-full text-xs tabular-nums" aria-label="Next times">
              <thead>
                <tr className="text-left text-muted">
                  <th scope="col" className="py-1 font-medium">
                    Here
                  </th>
                  {data.zone !== localZone() && (
                    <th scope="col" className="py-1 font-medium">
                      In {data.zone}
                    </th>
                  )}
                </tr>
              </thead>
              <tbody>
                {data.next_times.map((at) => (
                  <tr key={at}>
                    <td className="py-1">{momentIn(at, undefined)}</td>
                    {data.zone !== localZone() && <td className="py-1">{momentIn(at, data.zone)}</td>}
                  </tr>
                ))}
              </tbody>
            </table>
            <dl className="grid grid-cols-[8rem_1fr] gap-y-1.5 text-[0.8125rem]">
              {facts.map(([name, value]) => (
                <div key={name} className="contents">
                  <dt className="text-muted">{name}</dt>
                  <dd className="min-w-0 break-words">{value}</dd>
                </div>
              ))}
            </dl>
            {data.last_job && (
              <div>
                <Button size="sm" onClick={() => data.last_job && open(data.last_job)}>
                  Its last job
                </Button>
              </div>
            )}
            {data.payload && (
              <section>
                <h3 className="mb-1.5 text-[0.8125rem] font-medium">What its jobs carry</h3>
                <Code text={JSON.stringify(data.payload, null, 2)} label="Copy what they carry" />
              </section>
            )}
          </div>
        )}
      </DialogContent>
    </DialogRoot>
  );
}

export function Schedules({ project }: { project: string }) {
  const [words, change] = useWords<"tab" | "consumer" | "schedule" | "item" | "pages">();
  const { cursor, pager } = useCursorPages();
  const plugins = useQuery(installationsQuery(project));
  const query = { limit: 50, ...(words.consumer ? { plugin: words.consumer } : {}), ...(cursor ? { cursor } : {}) };
  const { data, error, refetch, isPlaceholderData } = useQuery({
    queryKey: [...key(project), "list", query],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/schedules", { params: { path: { project }, query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  });
  const { pending, run } = useAction();
  const columns = useMemo<Col<Schedule>[]>(
    () => [
      {
        id: "name",
        head: "Schedule",
        sort: (one) => one.name,
        className: "max-w-0 w-1/3",
        cell: (one) => (
          <button type="button" className="block w-full text-left" onClick={() => change({ schedule: one.id })}>
            <span className="block truncate font-medium hover:underline" title={one.name}>
              {one.name}
            </span>
            <span className="block truncate text-xs text-muted">
              {one.plugin}: {readableJob(one.job)}
            </span>
          </button>
        ),
      },
      {
        id: "expression",
        head: "When",
        wide: true,
        cell: (one) => (
          <span className="block max-w-56">
            <code className="text-xs">{one.expression}</code>
            <span className="block truncate text-xs text-muted" title={cronInWords(one.expression)}>
              {cronInWords(one.expression) ?? one.zone}
            </span>
          </span>
        ),
      },
      {
        id: "next",
        head: "Next",
        wide: true,
        sort: (one) => one.next_at,
        cell: (one) => (one.next_at ? <WhenIn at={one.next_at} zone={one.zone} /> : <span className="text-muted">–</span>),
      },
      { id: "last", head: "Last", wide: true, sort: (one) => one.last_due_at, cell: (one) => <When at={one.last_due_at} /> },
      {
        id: "missed",
        head: "Missed",
        wide: true,
        sort: (one) => one.missed,
        cell: (one) => (one.missed > 0 ? <span className="text-warn" title={plural(one.missed, "time") + " went by without a run"}>{one.missed}</span> : <span className="text-muted">0</span>),
      },
      { id: "state", head: "State", cell: (one) => <Standing schedule={one} /> },
      {
        id: "actions",
        head: "Actions",
        hiddenHead: true,
        cell: (one) => (
          <span className="flex justify-end gap-1">
            <Button
              variant="ghost"
              size="icon-sm"
              disabled={pending}
              aria-label={`${one.paused ? "Go on with" : "Put on hold"} ${one.name} of ${one.plugin}`}
              title={one.paused ? "Go on" : "Put on hold"}
              onClick={() => void run(() => act(project, one.id, one.paused ? "resume" : "pause"), one.paused ? "It goes on" : "It is on hold")}
            >
              {one.paused ? <Play aria-hidden /> : <Pause aria-hidden />}
            </Button>
            <Button
              variant="ghost"
              size="icon-sm"
              disabled={pending}
              aria-label={`Run ${one.name} of ${one.plugin} now`}
              title="Run now"
              onClick={() => void run(() => act(project, one.id, "run"), "Its job is in the queue")}
            >
              <SkipForward aria-hidden />
            </Button>
          </span>
        ),
      },
    ],
    [change, pending, project, run],
  );
  return (
    <>
      <Card>
        <div className="flex flex-wrap items-center gap-2 border-b border-border p-3">
          <Select aria-label="Plugin" className="w-44" value={words.consumer ?? ""} onChange={(event) => change({ consumer: event.target.value || undefined, pages: undefined })}>
            <option value="">All plugins</option>
            {plugins.data?.items.map((plugin) => (
              <option key={plugin.name}>{plugin.name}</option>
            ))}
          </Select>
        </div>
        <DataTable
          sortWord="by"
          label="Schedules"
          columns={columns}
          rows={data?.items}
          error={error}
          retry={() => void refetch()}
          stale={isPlaceholderData}
          rowKey={(one) => one.id}
          pager={pager(data?.next_cursor)}
          empty={
            <Empty icon={CalendarClock} title={words.consumer ? "This plugin has no schedules" : "No schedules"}>
              They come with plugins that do something by the clock.
            </Empty>
          }
        />
      </Card>
      {words.schedule && (
        <Whole
          key={words.schedule}
          project={project}
          id={words.schedule}
          close={() => change({ schedule: undefined })}
          open={(item) => change({ schedule: undefined, tab: undefined, pages: undefined, item })}
        />
      )}
    </>
  );
}
