import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { CircleX, ListTodo, RotateCcw } from "lucide-react";
import { useMemo, useState } from "react";
import { toast } from "sonner";
import { type Schemas, api, take } from "@/api/client";
import { type Item, installationsQuery, queryClient, queueCountsQuery } from "@/api/queries";
import { Confirm } from "@/components/confirm";
import { type Col, DataTable } from "@/components/data-table";
import { PageHeader } from "@/components/page";
import { Schedules } from "@/components/schedules";
import { Meter } from "@/components/stat";
import { Empty, Failure, Loading } from "@/components/states";
import { Code, CopyButton, Cut, When } from "@/components/text";
import { Badge, Dot, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { DialogContent, DialogRoot } from "@/components/ui/dialog";
import { Input, Select } from "@/components/ui/input";
import { Tab, TabPanel, Tabs, TabsList } from "@/components/ui/tabs";
import { cn } from "@/lib/cn";
import { count, moment, plural } from "@/lib/format";
import { useCursorPages, useWords } from "@/lib/pages";
import { useAction } from "@/lib/use-action";
import { useProject } from "@/lib/use-project";

const states: [string, Tone, string][] = [
  ["ready", "accent", "may be taken"],
  ["running", "accent", "being worked on"],
  ["scheduled", "plain", "to be tried later"],
  ["waiting", "plain", "behind another of its key"],
  ["held", "warn", "the plugin is off"],
  ["dead", "bad", "given up"],
  ["done", "good", "as long as that is remembered"],
  ["cancelled", "plain", "taken back"],
];

function State({ name }: { name: string }) {
  const tone = states.find(([state]) => state === name)?.[1] ?? "plain";
  return (
    <Badge tone={tone}>
      <Dot tone={tone} /> {name}
    </Badge>
  );
}

const refresh = (project: string) => queryClient.invalidateQueries({ queryKey: ["project", project, "queue"] });
const canRetry = (item: Item) => item.state === "dead" || item.state === "cancelled";
const canCancel = (item: Item) => ["ready", "scheduled", "waiting", "held", "running"].includes(item.state);

function Whole({ project, id, close }: { project: string; id: string; close: () => void }) {
  const { data, error, refetch } = useQuery({
    queryKey: ["project", project, "queue", "one", id],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/queue/{id}", { params: { path: { project, id } }, signal })),
    refetchInterval: 3_000,
  });
  const { pending, run } = useAction();
  const [cancelling, setCancelling] = useState(false);
  const facts: [string, React.ReactNode][] = data
    ? [
        ["Plugin", data.consumer],
        ["Asked for by", data.source ?? "–"],
        ["Try", `${data.attempt} of ${data.max_attempts}`],
        ["Added", moment(data.created_at)],
        ["Due", moment(data.due_at)],
        ["Last try began", data.started_at ? moment(data.started_at) : "–"],
        ["Ended", data.finished_at ? moment(data.finished_at) : "–"],
        ["In order with", data.ordering_key ?? "–"],
        ["Progress", data.progress === null ? "–" : <Progress key="progress" item={data} />],
        ["By the schedule", data.schedule ? `${data.schedule}, due ${data.scheduled_at ? moment(data.scheduled_at) : "when it was told to"}` : "–"],
      ]
    : [];
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent
        side
        title={data?.name ?? "Work"}
        description={id}
        footer={
          data && (canRetry(data) || canCancel(data)) ? (
            <>
              {canCancel(data) && (
                <Button variant="danger" onClick={() => setCancelling(true)}>
                  <CircleX aria-hidden /> Take back
                </Button>
              )}
              {canRetry(data) && (
                <Button
                  variant="primary"
                  pending={pending}
                  onClick={() =>
                    void run(async () => {
                      await take(api.POST("/admin/v1/projects/{project}/queue/{id}/retry", { params: { path: { project, id } } }));
                      await refresh(project);
                    }, "It is tried again")
                  }
                >
                  <RotateCcw aria-hidden /> Try again
                </Button>
              )}
            </>
          ) : undefined
        }
      >
        {error && !data ? (
          <Failure error={error} retry={() => void refetch()} />
        ) : !data ? (
          <Loading />
        ) : (
          <div className="grid gap-4">
            <div className="flex items-center gap-2">
              <State name={data.state} />
              {data.request_id && (
                <span className="flex items-center text-xs text-muted">
                  request <code className="ml-1">{data.request_id}</code>
                  <CopyButton text={data.request_id} label="Copy the request's id" />
                </span>
              )}
            </div>
            {data.error && (
              <div className="rounded-md bg-bad-soft px-3 py-2 text-[0.8125rem] break-words text-bad">
                <span className="font-mono">{data.error.code}</span>: {data.error.message}
              </div>
            )}
            <dl className="grid grid-cols-[8rem_1fr] gap-y-1.5 text-[0.8125rem]">
              {facts.map(([name, value]) => (
                <div key={name} className="contents">
                  <dt className="text-muted">{name}</dt>
                  <dd className="break-all">{value}</dd>
                </div>
              ))}
            </dl>
            <section>
              <h3 className="mb-1.5 text-[0.8125rem] font-medium">What it carries</h3>
              <Code text={data.payload ? JSON.stringify(data.payload, null, 2) : "nothing"} label="Copy what it carries" />
            </section>
          </div>
        )}
        <Confirm
          open={cancelling}
          onOpenChange={setCancelling}
          title="Take this work back?"
          action="Take it back"
          run={async () => {
            await take(api.POST("/admin/v1/projects/{project}/queue/{id}/cancel", { params: { path: { project, id } } }));
            await refresh(project);
          }}
        >
          <p>It is not done, until somebody tries it again.</p>
        </Confirm>
      </DialogContent>
    </DialogRoot>
  );
}

const kinds: [string, string][] = [
  ["job", "Jobs"],
  ["event", "Events"],
  ["mail", "Mails"],
  ["platform", "Of the platform"],
];

/** How far a piece of work is, as the plugin says. */
function Progress({ item }: { item: Pick<Item, "progress" | "progress_note" | "name"> }) {
  if (item.progress === null) return null;
  return (
    <span className="block w-32">
      <Meter value={item.progress} of={100} label={`Progress of ${item.name}`} plain />
      <span className="block truncate text-xs text-muted" title={item.progress_note ?? ""}>
        {item.progress} % {item.progress_note}
      </span>
    </span>
  );
}

/** Tries all again that were given up; goes on until none is left that was there at the beginning. */
async function retryAll(project: string, filter: { consumer?: string; name?: string; kind?: string }): Promise<number> {
  const began = new Date().toISOString();
  let done = 0;
  let cursor: string | null | undefined;
  do {
    const page: Schemas["List_ItemView"] = await take(
      api.GET("/admin/v1/projects/{project}/queue", {
        params: { path: { project }, query: { ...filter, state: "dead", limit: 100, ...(cursor ? { cursor } : {}) } },
      }),
    );
    for (const item of page.items) {
      if (item.finished_at && item.finished_at > began) continue;
      await take(api.POST("/admin/v1/projects/{project}/queue/{id}/retry", { params: { path: { project, id: item.id } } }));
      done += 1;
    }
    cursor = page.next_cursor;
  } while (cursor);
  await refresh(project);
  return done;
}

function Work({ project }: { project: string }) {
  const [words, change] = useWords<"state" | "kind" | "consumer" | "name" | "item" | "pages">();
  const { cursor, pager } = useCursorPages();
  const counts = useQuery(queueCountsQuery(project));
  const plugins = useQuery(installationsQuery(project));
  const query = {
    limit: 50,
    ...(words.state ? { state: words.state } : {}),
    ...(words.kind ? { kind: words.kind } : {}),
    ...(words.consumer ? { consumer: words.consumer } : {}),
    ...(words.name ? { name: words.name } : {}),
    ...(cursor ? { cursor } : {}),
  };
  const { data, error, refetch, isPlaceholderData } = useQuery({
    queryKey: ["project", project, "queue", "list", query],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/queue", { params: { path: { project }, query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  });
  const { pending, run } = useAction();
  const [retrying, setRetrying] = useState(false);
  const [cancelling, setCancelling] = useState<Item>();
  const dead = counts.data?.dead ?? 0;
  const only = {
    ...(words.kind ? { kind: words.kind } : {}),
    ...(words.consumer ? { consumer: words.consumer } : {}),
    ...(words.name ? { name: words.name } : {}),
  };
  const columns = useMemo<Col<Item>[]>(
    () => [
      {
        id: "name",
        head: "Work",
        sort: (item) => item.name,
        cell: (item) => (
          <button type="button" className="block max-w-40 text-left sm:max-w-64" onClick={() => change({ item: item.id })}>
            <span className="block truncate font-medium hover:underline" title={item.name}>
              {item.name}
            </span>
            <span className="block truncate text-xs text-muted">{item.schedule ? `by the schedule ${item.schedule}` : item.kind}</span>
          </button>
        ),
      },
      { id: "state", head: "State", sort: (item) => item.state, cell: (item) => <State name={item.state} /> },
      { id: "plugin", head: "Plugin", sort: (item) => item.consumer, cell: (item) => item.consumer },
      {
        id: "tries",
        head: "Tries",
        wide: true,
        sort: (item) => item.attempt,
        cell: (item) => (
          <span className="tabular-nums">
            {item.attempt} of {item.max_attempts}
          </span>
        ),
      },
      {
        id: "error",
        head: "Progress, or what went wrong",
        wide: true,
        cell: (item) =>
          item.error && item.state !== "done" ? (
            <Cut text={`${item.error.code}: ${item.error.message}`} className="max-w-56 text-bad" />
          ) : (
            <Progress item={item} />
          ),
      },
      { id: "due", head: "Due", wide: true, sort: (item) => item.due_at, cell: (item) => <When at={item.due_at} /> },
      { id: "added", head: "Added", wide: true, sort: (item) => item.created_at, cell: (item) => <When at={item.created_at} /> },
      {
        id: "actions",
        head: "Actions",
        hiddenHead: true,
        className: "w-12",
        cell: (item) =>
          canRetry(item) ? (
            <Button
              variant="ghost"
              size="icon-sm"
              disabled={pending}
              aria-label={`Try ${item.name} again`}
              title="Try again"
              onClick={() =>
                void run(async () => {
                  await take(api.POST("/admin/v1/projects/{project}/queue/{id}/retry", { params: { path: { project, id: item.id } } }));
                  await refresh(project);
                }, "It is tried again")
              }
            >
              <RotateCcw aria-hidden />
            </Button>
          ) : canCancel(item) ? (
            <Button variant="ghost" size="icon-sm" aria-label={`Take ${item.name} back`} title="Take back" onClick={() => setCancelling(item)}>
              <CircleX aria-hidden />
            </Button>
          ) : null,
      },
    ],
    [change, pending, project, run],
  );
  return (
    <>
      <div className="mb-4 grid grid-cols-2 gap-2 sm:grid-cols-4 xl:grid-cols-8">
        {states.map(([name, , help]) => {
          const value = counts.data?.[name as keyof typeof counts.data];
          const on = words.state === name;
          return (
            <button
              key={name}
              type="button"
              aria-pressed={on}
              title={help}
              onClick={() => change({ state: on ? undefined : name, pages: undefined })}
              className={cn(
                "rounded-lg border bg-panel px-3 py-2 text-left hover:border-input",
                on ? "border-primary ring-1 ring-primary" : "border-border",
              )}
            >
              <span className="block text-xs text-muted">{name}</span>
              <span className={cn("text-lg font-semibold tabular-nums", name === "dead" && value ? "text-bad" : "")}>
                {value === undefined ? "–" : count(value)}
              </span>
            </button>
          );
        })}
      </div>
      <Card>
        <div className="flex flex-wrap items-center gap-2 border-b border-border p-3">
          <Select
            aria-label="Plugin"
            className="w-44"
            value={words.consumer ?? ""}
            onChange={(event) => change({ consumer: event.target.value || undefined, pages: undefined })}
          >
            <option value="">All plugins</option>
            {plugins.data?.items.map((plugin) => (
              <option key={plugin.name}>{plugin.name}</option>
            ))}
          </Select>
          <Select
            aria-label="Kind"
            className="w-40"
            value={words.kind ?? ""}
            onChange={(event) => change({ kind: event.target.value || undefined, pages: undefined })}
          >
            <option value="">All kinds</option>
            {kinds.map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </Select>
          <form
            className="w-full sm:w-60"
            onSubmit={(event) => {
              event.preventDefault();
              const value = new FormData(event.currentTarget).get("name");
              change({ name: value ? String(value) : undefined, pages: undefined });
            }}
          >
            <Input name="name" type="search" aria-label="Name of the work" placeholder="Name, as files.uploaded" defaultValue={words.name ?? ""} />
          </form>
          {dead > 0 && (
            <Button size="sm" className="ml-auto" onClick={() => setRetrying(true)}>
              <RotateCcw aria-hidden /> Try the dead again
            </Button>
          )}
        </div>
        <DataTable
          sortWord="by"
          label="Work"
          columns={columns}
          rows={data?.items}
          error={error}
          retry={() => void refetch()}
          stale={isPlaceholderData}
          rowKey={(item) => item.id}
          pager={pager(data?.next_cursor)}
          empty={
            <Empty icon={ListTodo} title={words.state || words.kind || words.consumer || words.name ? "No work is like that" : "Nothing is waiting"}>
              Work appears here when plugins put jobs off for later, publish events that others have subscribed to, or send mail.
            </Empty>
          }
        />
      </Card>
      {words.item && <Whole key={words.item} project={project} id={words.item} close={() => change({ item: undefined })} />}
      {cancelling && (
        <Confirm
          open
          onOpenChange={(open) => !open && setCancelling(undefined)}
          title={`Take ${cancelling.name} back?`}
          action="Take it back"
          run={async () => {
            await take(api.POST("/admin/v1/projects/{project}/queue/{id}/cancel", { params: { path: { project, id: cancelling.id } } }));
            await refresh(project);
            toast.success("It is taken back");
          }}
        >
          <p>It is not done, until somebody tries it again.{cancelling.state === "running" && " What it has done so far stays done."}</p>
        </Confirm>
      )}
      <Confirm
        open={retrying}
        onOpenChange={setRetrying}
        title="Try all again that were given up?"
        action="Try them again"
        danger={false}
        run={async () => {
          const many = await retryAll(project, only);
          toast.success(`${plural(many, "piece")} of work ${many === 1 ? "is" : "are"} tried again`);
        }}
      >
        <p>
          {Object.keys(only).length > 0 ? "Those that fit the filter" : `All ${count(dead)}`} begin anew, with all their tries. Mend first what made them fail, or they end
          here again.
        </p>
      </Confirm>
    </>
  );
}

/** What a project does later: the queue's items, and the schedules that make some of them. */
export function Queue() {
  const project = useProject();
  const [words, change] = useWords<"tab" | "pages" | "state" | "name">();
  return (
    <>
      <PageHeader title="Queue" description="What plugins do later, and what they tell each other. Nothing that was taken on is lost." />
      <Tabs
        value={words.tab ?? "work"}
        onValueChange={(tab) => change({ tab: tab === "work" ? undefined : tab, pages: undefined, state: undefined, name: undefined })}
      >
        <TabsList aria-label="Queue">
          <Tab value="work">Work</Tab>
          <Tab value="schedules">Schedules</Tab>
        </TabsList>
        <TabPanel value="work">
          <Work project={project} />
        </TabPanel>
        <TabPanel value="schedules">
          <Schedules project={project} />
        </TabPanel>
      </Tabs>
    </>
  );
}
