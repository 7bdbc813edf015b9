import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { CircleX, ListTodo, RotateCcw } from "lucide-react";
import { useMemo, useState } from "react";
import { api, take } from "@/api/client";
import { type Item, installationsQuery, queryClient, queueCountsQuery } from "@/api/queries";
import { Confirm } from "@/components/confirm";
import { type Col, DataTable } from "@/components/data-table";
import { PageHeader } from "@/components/page";
import { Empty, Failure, Loading } from "@/components/states";
import { Code, CopyButton, Cut, When } from "@/components/text";
import { Badge, Dot, type Tone } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { DialogContent, DialogRoot } from "@/components/ui/dialog";
import { Input, Select } from "@/components/ui/input";
import { cn } from "@/lib/cn";
import { count, moment } from "@/lib/format";
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
        ["Progress", data.progress === null ? "–" : `${data.progress} % ${data.progress_note ?? ""}`],
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

export function Queue() {
  const project = useProject();
  const [words, change] = useWords<"state" | "consumer" | "name" | "item" | "pages">();
  const { cursor, pager } = useCursorPages();
  const counts = useQuery(queueCountsQuery(project));
  const plugins = useQuery(installationsQuery(project));
  const query = {
    limit: 50,
    ...(words.state ? { state: words.state } : {}),
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
  const dead = (data?.items ?? []).filter((item) => item.state === "dead");
  const columns = useMemo<Col<Item>[]>(
    () => [
      {
        id: "name",
        head: "Work",
        sort: (item) => item.name,
        cell: (item) => (
          <button type="button" className="block max-w-64 truncate text-left font-medium hover:underline" onClick={() => change({ item: item.id })}>
            {item.name}
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
        head: "What went wrong",
        wide: true,
        cell: (item) => (item.error ? <Cut text={`${item.error.code}: ${item.error.message}`} className="text-bad" /> : null),
      },
      { id: "due", head: "Due", wide: true, sort: (item) => item.due_at, cell: (item) => <When at={item.due_at} /> },
      { id: "added", head: "Added", wide: true, sort: (item) => item.created_at, cell: (item) => <When at={item.created_at} /> },
    ],
    [change],
  );
  return (
    <>
      <PageHeader title="Queue" description="What plugins do later, and what they tell each other. Nothing that was taken on is lost." />
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
          {dead.length > 1 && (
            <Button
              size="sm"
              className="ml-auto"
              pending={pending}
              onClick={() =>
                void run(async () => {
                  for (const item of dead) {
                    await take(api.POST("/admin/v1/projects/{project}/queue/{id}/retry", { params: { path: { project, id: item.id } } }));
                  }
                  await refresh(project);
                }, `${dead.length} are tried again`)
              }
            >
              <RotateCcw aria-hidden /> Try the {dead.length} dead on this page again
            </Button>
          )}
        </div>
        <DataTable
          label="Work"
          columns={columns}
          rows={data?.items}
          error={error}
          retry={() => void refetch()}
          stale={isPlaceholderData}
          rowKey={(item) => item.id}
          pager={pager(data?.next_cursor)}
          empty={
            <Empty icon={ListTodo} title={words.state || words.consumer || words.name ? "No work is like that" : "Nothing is waiting"}>
              Work appears here when plugins publish events that others have subscribed to.
            </Empty>
          }
        />
      </Card>
      {words.item && <Whole key={words.item} project={project} id={words.item} close={() => change({ item: undefined })} />}
    </>
  );
}
