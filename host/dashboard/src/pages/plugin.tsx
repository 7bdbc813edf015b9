import { useQuery } from "@tanstack/react-query";
import { useNavigate, useParams } from "@tanstack/react-router";
import { Boxes, ChevronDown, History, Trash2, TriangleAlert } from "lucide-react";
import { type ReactNode, useMemo, useState } from "react";
import { toast } from "sonner";
import { ApiError, api, reason, take } from "@/api/client";
import {
  type Installation,
  type Revision,
  installationQuery,
  openApiQuery,
  queryClient,
  revisionsQuery,
} from "@/api/queries";
import { Changed } from "@/components/changed";
import { Confirm } from "@/components/confirm";
import { type Col, DataTable } from "@/components/data-table";
import { type Config, JsonForm, type Schema, problemsOf } from "@/components/json-form";
import { PageHeader } from "@/components/page";
import { PluginLogs } from "@/components/plugin-logs";
import { PluginMetrics } from "@/components/plugin-metrics";
import { PluginPage } from "@/components/plugin-page";
import { Consent, HealthBadge, auditOf, put, putPart } from "@/components/plugin-parts";
import { Empty, Failure, Loading, Refusal } from "@/components/states";
import { Cut, Marked, When } from "@/components/text";
import { Method, TryIt, operationsOf } from "@/components/try-it";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader } from "@/components/ui/card";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { Switch } from "@/components/ui/switch";
import { Tab, TabPanel, Tabs, TabsList } from "@/components/ui/tabs";
import { bytes } from "@/lib/format";
import { inWords } from "@/lib/grants";
import { useWords } from "@/lib/pages";
import { refused } from "@/lib/tags";
import { useAction } from "@/lib/use-action";
import { useDraft } from "@/lib/use-draft";
import { useProject } from "@/lib/use-project";

function Configuration({ project, plugin, revision, unknown }: { project: string; plugin: Installation; revision: Revision | undefined; unknown: ReactNode }) {
  const [draft, setDraft, dirty, overtaken, reset, settled] = useDraft(plugin.config as Config, plugin.generation);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  const schema = revision?.config_schema as Schema | null | undefined;
  if (!revision) return unknown;
  if (!schema?.properties || Object.keys(schema.properties).length === 0) {
    return (
      <Card>
        <Empty icon={Boxes} title="There is nothing to configure">
          This revision declares no settings.
        </Empty>
      </Card>
    );
  }
  return (
    <Card>
      <form
        noValidate
        onSubmit={async (event) => {
          event.preventDefault();
          const found = problemsOf(schema, draft);
          setErrors(found);
          if (Object.keys(found).length > 0) return;
          setPending(true);
          setError(undefined);
          try {
            await put(project, plugin.name, { config: draft as Record<string, never> }, plugin.etag);
            settled();
            toast.success("Saved. It holds on every node, without a restart");
          } catch (failure) {
            refused(failure, setError);
          } finally {
            setPending(false);
          }
        }}
      >
        <CardBody className="grid max-w-2xl gap-5 pt-5">
          {overtaken && <Changed what="plugin" of={auditOf(project, plugin.name)} {...overtaken} />}
          <JsonForm schema={schema} value={draft} errors={errors}
            change={(next) => {
              setDraft(next);
              // What was wrong is looked at again while it is mended.
              if (Object.keys(errors).length > 0) setErrors(problemsOf(schema, next));
            }}
          />
          <Refusal error={error} />
        </CardBody>
        <footer className="flex gap-2 border-t border-border px-4 py-3">
          <Button type="submit" variant="primary" pending={pending} disabled={!dirty}>
            Save
          </Button>
          <Button disabled={!dirty || pending} onClick={reset}>
            Undo changes
          </Button>
        </footer>
      </form>
    </Card>
  );
}

const limitFields: [string, string, string, number, number][] = [
  ["memory_mib", "Memory, MiB", "Of one instance, all of its memories and tables together.", 1, 256],
  ["cpu_ms", "Processor time, ms", "For one request.", 10, 300_000],
  ["wall_ms", "Time on the clock, ms", "For one request, until its answer has ended.", 10, 3_600_000],
  ["concurrency", "Requests at once", "In this project.", 1, 1_024],
  ["max_reuse", "Requests until an instance is replaced", "", 1, 1_000_000],
  ["max_body_bytes", "Largest body, bytes", "0 leaves it to the plugin and the quota.", 0, Number.MAX_SAFE_INTEGER],
];

function Limits({ project, plugin }: { project: string; plugin: Installation }) {
  const [draft, setDraft, dirty, overtaken, reset, settled] = useDraft(plugin.limits as Record<string, number | string>, plugin.generation);
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <Card>
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          setPending(true);
          setError(undefined);
          try {
            await put(project, plugin.name, { limits: draft as Record<string, never> }, plugin.etag);
            settled();
            toast.success("Saved. New requests run under these limits");
          } catch (failure) {
            refused(failure, setError);
          } finally {
            setPending(false);
          }
        }}
      >
        <CardBody className="grid max-w-3xl gap-5 pt-5 sm:grid-cols-2">
          {overtaken && (
            <div className="sm:col-span-2">
              <Changed what="plugin" of={auditOf(project, plugin.name)} {...overtaken} />
            </div>
          )}
          {limitFields.map(([name, label, help, min, max]) => (
            <Field key={name} label={label} help={help || undefined}>
              <Input
                type="number"
                required
                min={min}
                max={max}
                value={String(draft[name] ?? "")}
                onChange={(event) => setDraft({ ...draft, [name]: event.target.value === "" ? "" : Number(event.target.value) })}
              />
            </Field>
          ))}
          <Field label="Instances" help="Sharing is faster; one for each request keeps nothing between two.">
            <Select value={String(draft.isolation ?? "reuse")} onChange={(event) => setDraft({ ...draft, isolation: event.target.value })}>
              <option value="reuse">Serve many requests, one at a time</option>
              <option value="request">A new one for each request</option>
            </Select>
          </Field>
          <Refusal error={error} className="sm:col-span-2" />
        </CardBody>
        <footer className="flex gap-2 border-t border-border px-4 py-3">
          <Button type="submit" variant="primary" pending={pending} disabled={!dirty}>
            Save
          </Button>
          <Button disabled={!dirty || pending} onClick={reset}>
            Undo changes
          </Button>
        </footer>
      </form>
    </Card>
  );
}

function Grants({ project, plugin }: { project: string; plugin: Installation }) {
  const { pending, run } = useAction();
  if (plugin.requested_grants.length === 0) {
    return (
      <Card>
        <Empty icon={Boxes} title="It asks for nothing">
          It sees the requests to its addresses, and nothing else.
        </Empty>
      </Card>
    );
  }
  return (
    <Card>
      <CardHeader title="What it may do" description="A change holds at once: running requests finish on what they began with." />
      <ul className="border-t border-border">
        {plugin.requested_grants.map((grant) => {
          const plain = inWords(grant);
          const allowed = plugin.grants.includes(grant);
          return (
            <li key={grant} className="flex items-center gap-4 border-b border-border px-4 py-3 last:border-0">
              <div className="min-w-0 flex-1">
                <p className="flex flex-wrap items-center gap-2 text-sm font-medium">
                  {plain.title} <code className="text-xs font-normal text-muted">{grant}</code>
                </p>
                <p className="text-xs text-muted">{plain.means}</p>
              </div>
              <Switch
                aria-label={plain.title}
                checked={allowed}
                disabled={pending}
                onCheckedChange={(next) =>
                  void run(
                    () =>
                      putPart(project, plugin.name, ({ grants }) => {
                        const others = grants.filter((other) => other !== grant);
                        return { grants: next ? [...others, grant] : others };
                      }),
                    next ? "Allowed" : "No longer allowed",
                  )
                }
              />
            </li>
          );
        })}
      </ul>
    </Card>
  );
}

function Routes({ project, plugin }: { project: string; plugin: Installation }) {
  const { data, error, refetch } = useQuery(openApiQuery(project));
  const [open, setOpen] = useState<string>();
  const operations = useMemo(
    () =>
      operationsOf(data).filter((operation) =>
        plugin.routes.some((route) => operation.path === route || operation.path.startsWith(`${route}/`) || route === "/"),
      ),
    [data, plugin.routes],
  );
  if (error && !data) {
    return (
      <Card>
        <Failure error={error} retry={() => void refetch()} />
      </Card>
    );
  }
  if (!data) {
    return (
      <Card>
        <Loading />
      </Card>
    );
  }
  return (
    <div className="grid gap-3">
      <Card>
        <CardHeader
          title="Mounted at"
          description="Everything below these addresses goes to this plugin. Calls from here are made in your name, as an admin."
          actions={
            <span className="flex flex-wrap gap-1.5">
              {plugin.routes.map((route) => (
                <Badge key={route} className="font-mono">
                  {route}
                </Badge>
              ))}
            </span>
          }
        />
      </Card>
      {operations.length === 0 && (
        <Card>
          <CardBody className="pt-4">
            <p className="mb-4 text-[0.8125rem] text-muted">It describes no routes. Any address below its mounts can be tried.</p>
            <TryIt
              project={project}
              operation={{
                id: "any",
                method: "GET",
                path: plugin.routes[0] ?? "/",
                summary: "",
                tag: "",
                parameters: [],
                body: undefined,
                contentType: undefined,
                responses: [],
              }}
            />
          </CardBody>
        </Card>
      )}
      {operations.map((operation) => {
        const isOpen = open === operation.id;
        return (
          <Card key={operation.id}>
            <button
              type="button"
              aria-expanded={isOpen}
              aria-label={`${operation.method} ${operation.path}`}
              className="flex w-full items-center gap-2 px-4 py-2.5 text-left"
              onClick={() => setOpen(isOpen ? undefined : operation.id)}
            >
              <Method name={operation.method} />
              <code className="min-w-0 truncate text-[0.8125rem]" title={operation.path}>
                {operation.path}
              </code>
              <span className="ml-2 hidden min-w-0 flex-1 truncate text-[0.8125rem] text-muted sm:block">{operation.summary}</span>
              <ChevronDown className={`ml-auto size-4 shrink-0 text-muted transition-transform ${isOpen ? "rotate-180" : ""}`} aria-hidden />
            </button>
            {isOpen && (
              <CardBody className="border-t border-border pt-4">
                {operation.description && (
                  <p className="mb-4 text-[0.8125rem] text-muted">
                    <Marked text={operation.description} />
                  </p>
                )}
                <TryIt key={operation.id} project={project} operation={operation} />
              </CardBody>
            )}
          </Card>
        );
      })}
    </div>
  );
}

function Revisions({ plugin, revisions, choose }: { plugin: Installation; revisions: Revision[] | undefined; choose: (revision: Revision) => void }) {
  const columns = useMemo<Col<Revision>[]>(
    () => [
      {
        id: "version",
        head: "Version",
        sort: (revision) => revision.version,
        cell: (revision) => (
          <span className="flex items-center gap-2">
            <span className="font-mono">{revision.version}</span>
            {revision.id === plugin.revision && <Badge tone="good">runs now</Badge>}
            {revision.id === plugin.previous_revision && <Badge>ran before</Badge>}
          </span>
        ),
      },
      { id: "digest", head: "Digest", wide: true, cell: (revision) => <Cut mono text={revision.digest} className="max-w-40" /> },
      { id: "size", head: "Size", wide: true, sort: (revision) => revision.size_bytes, cell: (revision) => bytes(revision.size_bytes) },
      { id: "added", head: "Added", sort: (revision) => revision.created_at, cell: (revision) => <When at={revision.created_at} /> },
      {
        id: "action",
        head: "Switch",
        hiddenHead: true,
        className: "text-right",
        cell: (revision) =>
          revision.id === plugin.revision ? null : (
            <Button size="sm" onClick={() => choose(revision)}>
              {revision.id === plugin.previous_revision ? "Roll back" : "Switch to it"}
            </Button>
          ),
      },
    ],
    [plugin, choose],
  );
  return (
    <Card>
      <DataTable
        sortWord="by"
        label="Revisions"
        columns={columns}
        rows={revisions}
        rowKey={(revision) => revision.id}
        empty={<Empty icon={History} title="No revisions" />}
      />
    </Card>
  );
}

function Remove({ project, plugin, close }: { project: string; plugin: string; close: () => void }) {
  const [data, setData] = useState<"keep" | "delete">("keep");
  const navigate = useNavigate();
  return (
    <Confirm
      open
      onOpenChange={(open) => !open && close()}
      title={`Remove ${plugin}?`}
      action="Remove the plugin"
      typed={data === "delete" ? plugin : undefined}
      run={async () => {
        await take(
          api.DELETE("/admin/v1/projects/{project}/plugins/{plugin}", { params: { path: { project, plugin }, query: { data } } }),
        );
        toast.success(`${plugin} is removed`);
        await navigate({ to: "/projects/$project/plugins", params: { project } });
        await queryClient.invalidateQueries({ queryKey: ["project", project, "plugins"] });
      }}
    >
      <p>Its addresses stop answering at once.</p>
      <Field label="What it has stored">
        <Select value={data} onChange={(event) => setData(event.target.value as "keep" | "delete")}>
          <option value="keep">Keep it: it is there again after the next install</option>
          <option value="delete">Delete it for good</option>
        </Select>
      </Field>
    </Confirm>
  );
}

/** The tab of a page that the plugin brings. */
const tabOf = (path: string) => `page:${path}`;

export function Plugin() {
  const project = useProject();
  const name = useParams({ strict: false, select: (params: { plugin?: string }) => params.plugin }) ?? "";
  const [words, change] = useWords<"tab">();
  const { data: plugin, error, refetch } = useQuery({ ...installationQuery(project, name), refetchInterval: 10_000 });
  const { data: catalogue, error: unread, refetch: readAgain } = useQuery(revisionsQuery(name));
  const [chosen, setChosen] = useState<Revision>();
  const [removing, setRemoving] = useState(false);
  const { pending, run } = useAction();
  const revision = catalogue?.revisions.find((one) => one.id === plugin?.revision) ?? (catalogue?.id === plugin?.revision ? catalogue : undefined);

  const unknown = unread ? (
    <Card>
      <Failure error={unread} retry={() => void readAgain()} />
    </Card>
  ) : catalogue ? (
    <Card>
      <Empty icon={Boxes} title="This revision is not in the catalogue any more">
        Install one that is, to see what it can be told.
      </Empty>
    </Card>
  ) : (
    <Loading />
  );

  if (error && !plugin) {
    if (error instanceof ApiError && error.status === 404) {
      return (
        <Card>
          <Empty icon={Boxes} title={`${name} is not installed in this project`}>
            Install it from the project's plugins.
          </Empty>
        </Card>
      );
    }
    return (
      <>
        <PageHeader title={name} />
        <Card>
          <Failure error={error} retry={() => void refetch()} />
        </Card>
      </>
    );
  }
  if (!plugin) return <Loading rows={8} />;
  const pages = plugin.enabled ? plugin.pages : [];
  return (
    <>
      <PageHeader
        title={plugin.name}
        description={plugin.description}
        badge={
          <>
            <Badge className="font-mono">{plugin.version}</Badge> <HealthBadge plugin={plugin} />
          </>
        }
        actions={
          <>
            <label className="flex items-center gap-2 text-sm">
              {plugin.enabled ? "On" : "Off"}
              <Switch
                aria-label={`${plugin.name} is on`}
                checked={plugin.enabled}
                disabled={pending}
                onCheckedChange={(enabled) => void run(() => put(project, plugin.name, { enabled }), `${plugin.name} is ${enabled ? "on" : "off"}`)}
              />
            </label>
            <Button className="text-bad" onClick={() => setRemoving(true)}>
              <Trash2 aria-hidden /> Remove
            </Button>
          </>
        }
      />
      {plugin.last_error && plugin.health !== "ok" && (
        <div className="mb-4 flex gap-2 rounded-md bg-bad-soft px-3 py-2 text-[0.8125rem] text-bad">
          <TriangleAlert className="mt-0.5 size-4 shrink-0" aria-hidden />
          <span className="min-w-0 break-words">Its last fault: {reason(plugin.last_error)}</span>
        </div>
      )}
      <Tabs value={words.tab ?? "routes"} onValueChange={(tab) => change({ tab })}>
        <TabsList aria-label={plugin.name}>
          {pages.map((page) => (
            <Tab key={page.path} value={tabOf(page.path)}>
              {page.title}
            </Tab>
          ))}
          <Tab value="routes">Routes</Tab>
          <Tab value="configuration">Configuration</Tab>
          <Tab value="grants">Grants</Tab>
          <Tab value="logs">Logs</Tab>
          <Tab value="metrics">Metrics</Tab>
          <Tab value="limits">Limits</Tab>
          <Tab value="revisions">Revisions</Tab>
        </TabsList>
        {pages.map((page) => (
          <TabPanel key={page.path} value={tabOf(page.path)}>
            <PluginPage project={project} plugin={plugin.name} path={page.path} title={page.title} />
          </TabPanel>
        ))}
        <TabPanel value="routes">
          <Routes project={project} plugin={plugin} />
        </TabPanel>
        <TabPanel value="configuration">
          <Configuration project={project} plugin={plugin} revision={revision} unknown={unknown} />
        </TabPanel>
        <TabPanel value="grants">
          <Grants project={project} plugin={plugin} />
        </TabPanel>
        <TabPanel value="logs">
          <PluginLogs project={project} plugin={plugin.name} />
        </TabPanel>
        <TabPanel value="metrics">
          <PluginMetrics project={project} plugin={plugin.name} />
        </TabPanel>
        <TabPanel value="limits">
          <Limits project={project} plugin={plugin} />
        </TabPanel>
        <TabPanel value="revisions">
          <Revisions plugin={plugin} revisions={catalogue?.revisions} choose={setChosen} />
        </TabPanel>
      </Tabs>
      {chosen && <Consent key={chosen.id} project={project} revision={chosen} installed={plugin} close={() => setChosen(undefined)} />}
      {removing && <Remove project={project} plugin={plugin.name} close={() => setRemoving(false)} />}
    </>
  );
}
