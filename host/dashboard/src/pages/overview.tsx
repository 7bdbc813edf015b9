import { type UseQueryResult, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Activity, Boxes } from "lucide-react";
import type { Schemas } from "@/api/client";
import {
  type Audit,
  type Installation,
  auditQuery,
  domainsQuery,
  installationsQuery,
  projectQuery,
  queueCountsQuery,
  usageQuery,
} from "@/api/queries";
import { PageHeader } from "@/components/page";
import { HealthBadge } from "@/components/plugin-parts";
import { RangeChoice, SeriesCharts, SeriesStats, useRange } from "@/components/series";
import { seriesQuery } from "@/components/series-queries";
import { Meter, Stat } from "@/components/stat";
import { Empty, Failure, Loading } from "@/components/states";
import { CopyButton, When } from "@/components/text";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader } from "@/components/ui/card";
import { bytes, count } from "@/lib/format";
import { useProject } from "@/lib/use-project";

function Events({ events, project }: { events: UseQueryResult<{ items: Audit[] }>; project: string }) {
  return (
    <Card>
      <CardHeader
        title="Recent events"
        actions={
          <Button asChild size="sm" variant="ghost">
            <Link to="/projects/$project/logs" params={{ project }}>
              All
            </Link>
          </Button>
        }
      />
      {!events.data ? (
        events.error ? (
          <Failure error={events.error} retry={() => void events.refetch()} />
        ) : (
          <Loading rows={3} />
        )
      ) : events.data.items.length === 0 ? (
        <Empty icon={Activity} title="Nothing has happened yet" className="py-6" />
      ) : (
        <ul className="border-t border-border">
          {events.data.items.map((event) => (
            <li key={event.seq} className="border-b border-border px-4 py-2 text-[0.8125rem] last:border-0">
              <span className="flex items-baseline gap-3">
                <span className="min-w-0 flex-1 truncate font-medium">{event.action}</span>
                <span className="shrink-0 text-xs text-muted">
                  <When at={event.at} />
                </span>
              </span>
              {event.target && (
                <span className="block truncate text-xs text-muted" title={event.target}>
                  {event.target}
                </span>
              )}
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

function QueueNow({ counts, project }: { counts: Schemas["CountsView"] | undefined; project: string }) {
  const open = (counts?.ready ?? 0) + (counts?.waiting ?? 0) + (counts?.scheduled ?? 0) + (counts?.held ?? 0);
  const told = [
    ["waiting", open],
    ["running", counts?.running],
    ["dead", counts?.dead],
  ] as const;
  return (
    <Card>
      <CardHeader
        title="Queue"
        actions={
          <Button asChild size="sm" variant="ghost">
            <Link to="/projects/$project/queue" params={{ project }}>
              All
            </Link>
          </Button>
        }
      />
      <CardBody className="grid grid-cols-3 gap-3 text-sm">
        {told.map(([name, value]) => (
          <div key={name}>
            <p className="text-xs text-muted">{name}</p>
            <p className={`text-lg font-semibold tabular-nums ${name === "dead" && value ? "text-bad" : ""}`}>{counts ? count(value ?? 0) : "–"}</p>
          </div>
        ))}
      </CardBody>
    </Card>
  );
}

function Plugins({ plugins, project }: { plugins: UseQueryResult<{ items: Installation[] }>; project: string }) {
  return (
    <Card>
      <CardHeader
        title="Plugins"
        actions={
          <Button asChild size="sm" variant="ghost">
            <Link to="/projects/$project/plugins" params={{ project }}>
              All
            </Link>
          </Button>
        }
      />
      {!plugins.data ? (
        plugins.error ? (
          <Failure error={plugins.error} retry={() => void plugins.refetch()} />
        ) : (
          <Loading />
        )
      ) : plugins.data.items.length === 0 ? (
        <Empty
          icon={Boxes}
          title="Nothing is installed yet"
          className="py-6"
          action={
            <Button asChild variant="primary">
              <Link to="/projects/$project/plugins" params={{ project }}>
                See the catalogue
              </Link>
            </Button>
          }
        />
      ) : (
        <ul className="border-t border-border">
          {plugins.data.items.map((plugin) => (
            <li key={plugin.name} className="flex items-center gap-3 border-b border-border px-4 py-2 last:border-0">
              <Link
                to="/projects/$project/plugins/$plugin"
                params={{ project, plugin: plugin.name }}
                search={{ tab: "metrics" }}
                className="min-w-0 flex-1 truncate text-sm font-medium hover:underline"
              >
                {plugin.name}
              </Link>
              <HealthBadge plugin={plugin} />
            </li>
          ))}
        </ul>
      )}
    </Card>
  );
}

export function Overview() {
  const project = useProject();
  const [range, choose] = useRange();
  const about = useQuery(projectQuery(project));
  const series = useQuery(seriesQuery(project, undefined, range));
  const usage = useQuery({ ...usageQuery(project), refetchInterval: 10_000 });
  const plugins = useQuery({ ...installationsQuery(project), refetchInterval: 10_000 });
  const queue = useQuery(queueCountsQuery(project));
  const domains = useQuery(domainsQuery(project));
  const events = useQuery({ ...auditQuery({ project }, undefined, 12), refetchInterval: 10_000 });

  if (about.error && !about.data) {
    return (
      <>
        <PageHeader title={project} />
        <Card>
          <Failure error={about.error} retry={() => void about.refetch()} />
        </Card>
      </>
    );
  }
  const storage = usage.data?.storage;
  return (
    <>
      <PageHeader
        title={about.data?.name ?? project}
        description={
          about.data && (
            <span className="flex flex-wrap items-center gap-x-1">
              <code className="break-all">{about.data.url}</code>
              <CopyButton text={about.data.url} label="Copy the address" />
              {domains.data?.items.map((domain) => (
                <Badge key={domain.host}>{domain.host}</Badge>
              ))}
            </span>
          )
        }
        actions={
          <Button asChild>
            <Link to="/projects/$project/api" params={{ project }}>
              How to call it
            </Link>
          </Button>
        }
      />
      <div className="mb-3 flex flex-wrap items-center justify-between gap-3">
        <p className="text-[0.8125rem] text-muted">On all nodes, up to the last whole minute.</p>
        <RangeChoice range={range} choose={choose} />
      </div>
      <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
        <SeriesStats total={series.data?.total} range={range} />
        <Stat
          name="Storage"
          value={storage && bytes(storage.used_bytes)}
          note={storage && (storage.limit_bytes ? `of ${bytes(storage.limit_bytes)}` : "no limit set")}
        >
          {storage?.limit_bytes ? <Meter value={storage.used_bytes} of={storage.limit_bytes} label="Storage used" /> : null}
        </Stat>
      </div>
      <div className="mt-4 grid items-start gap-4 xl:grid-cols-[minmax(0,1fr)_19rem]">
        <SeriesCharts project={project} range={range} />
        <div className="grid content-start gap-4 md:grid-cols-2 xl:grid-cols-1">
          <Events events={events} project={project} />
          <QueueNow counts={queue.data} project={project} />
          <Plugins plugins={plugins} project={project} />
        </div>
      </div>
    </>
  );
}
