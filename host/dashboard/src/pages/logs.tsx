import { useQuery } from "@tanstack/react-query";
import { ScrollText } from "lucide-react";
import { api, take } from "@/api/client";
import { installationsQuery } from "@/api/queries";
import { AuditList } from "@/components/audit-list";
import { Filters } from "@/components/filters";
import { LogView } from "@/components/log-view";
import { PageHeader } from "@/components/page";
import { PluginLogs, levels } from "@/components/plugin-logs";
import { RequestList, type RequestWords } from "@/components/request-list";
import { Empty, Failure, Loading } from "@/components/states";
import { Pages } from "@/components/data-table";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Input, Select } from "@/components/ui/input";
import { Tab, TabPanel, Tabs, TabsList } from "@/components/ui/tabs";
import { useCursorPages, useWords } from "@/lib/pages";
import { useProject } from "@/lib/use-project";

/** Lines that were written earlier, by text, gravity and request. */
function Search({ project, plugin }: { project: string; plugin: string | undefined }) {
  const [words, change] = useWords<"level" | "q" | "request" | "pages">();
  const { cursor, pager } = useCursorPages();
  const query = {
    limit: 200,
    ...(words.level ? { level: words.level } : {}),
    ...(words.q ? { q: words.q } : {}),
    ...(words.request ? { request_id: words.request } : {}),
    ...(cursor ? { cursor } : {}),
  };
  const { data, error, refetch } = useQuery({
    queryKey: ["project", project, "logs", plugin, query],
    queryFn: ({ signal }) =>
      take(
        plugin === undefined
          ? api.GET("/admin/v1/projects/{project}/logs", { params: { path: { project }, query }, signal })
          : api.GET("/admin/v1/projects/{project}/plugins/{plugin}/logs", { params: { path: { project, plugin }, query }, signal }),
      ),
  });
  const apply = (part: Partial<Record<"level" | "q" | "request", string | undefined>>) => change({ ...part, pages: undefined });
  const pages = pager(data?.next_cursor);
  return (
    <Card className="overflow-hidden">
      <Filters
        typed={["q", "request"]}
        apply={apply}
        action="Search"
        after={
          <Button size="sm" variant="ghost" onClick={() => void refetch()}>
            Reload
          </Button>
        }
      >
        <Input key={`q${words.q}`} type="search" name="q" aria-label="Text" placeholder="Text" className="w-full sm:w-56" defaultValue={words.q ?? ""} />
        <Input
          key={`r${words.request}`}
          type="search"
          name="request"
          aria-label="Request"
          placeholder="Id of a request"
          className="w-full sm:w-56"
          defaultValue={words.request ?? ""}
        />
        <Select aria-label="Level" className="w-40" value={words.level ?? ""} onChange={(event) => apply({ level: event.target.value || undefined })}>
          <option value="">All levels</option>
          {levels.slice(1).map((name) => (
            <option key={name} value={name}>
              {name} and graver
            </option>
          ))}
        </Select>
      </Filters>
      {error && !data ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading rows={8} />
      ) : (
        <>
          <LogView lines={data.items.toReversed()} empty="No line is like that." request={(request) => apply({ request })} ofMany={plugin === undefined} />
          {(cursor || data.next_cursor) && (
            <Pages text="Newest at the end" previous={cursor ? pages.previous : undefined} next={data.next_cursor ? pages.next : undefined} />
          )}
        </>
      )}
    </Card>
  );
}

type Words = RequestWords & { source?: string; level?: string; actor?: string; action?: string; target?: string; from?: string; entry?: string };

export function Logs() {
  const project = useProject();
  const [words, change] = useWords<keyof Words>();
  const { data, error, refetch } = useQuery(installationsQuery(project));
  const source = words.source ?? "requests";
  const plugins = data?.items.map((one) => one.name) ?? [];
  const choice = (
    <Select aria-label="Plugin" className="w-full sm:w-48" value={words.plugin ?? ""} onChange={(event) => change({ plugin: event.target.value || undefined, pages: undefined })}>
      <option value="">All plugins</option>
      {plugins.map((name) => (
        <option key={name}>{name}</option>
      ))}
    </Select>
  );
  const none = data && data.items.length === 0 && (
    <Card>
      <Empty icon={ScrollText} title="No plugin is installed">
        Lines come from plugins; what admins do stands in the audit.
      </Empty>
    </Card>
  );
  const failed = error && !data && (
    <Card>
      <Failure error={error} retry={() => void refetch()} />
    </Card>
  );
  const lines = (request: string) => change({ source: "lines", request, plugin: undefined, q: undefined, level: undefined, pages: undefined });
  return (
    <>
      <PageHeader title="Logs" description="What the project was asked, what plugins write, as it comes or looked for, and what was done to it." />
      <Tabs value={source} onValueChange={(next) => change({ source: next, pages: undefined, q: undefined })}>
        <div className="flex flex-wrap items-end justify-between gap-2">
          <TabsList aria-label="Source" className="grow basis-full sm:basis-0">
            <Tab value="requests">Requests</Tab>
            <Tab value="live">Live lines</Tab>
            <Tab value="lines">Search lines</Tab>
            <Tab value="audit">Audit</Tab>
          </TabsList>
          {(source === "live" || source === "lines") && choice}
        </div>
        <TabPanel value="requests">
          <RequestList project={project} plugins={plugins} words={words} change={change} lines={lines} />
        </TabPanel>
        <TabPanel value="live">{failed || none || (data ? <PluginLogs key={words.plugin} project={project} plugin={words.plugin} /> : <Loading />)}</TabPanel>
        <TabPanel value="lines">{failed || none || (data ? <Search key={words.plugin} project={project} plugin={words.plugin} /> : <Loading />)}</TabPanel>
        <TabPanel value="audit">
          <AuditList project={project} words={words} change={change} />
        </TabPanel>
      </Tabs>
    </>
  );
}
