import { useQueries, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Activity, Boxes } from "lucide-react";
import { useEffect, useState } from "react";
import {
  auditQuery,
  domainsQuery,
  installationsQuery,
  metricsQuery,
  projectQuery,
  queueCountsQuery,
  usageQuery,
} from "@/api/queries";
import { Bars, Lines } from "@/components/chart";
import { PageHeader } from "@/components/page";
import { HealthBadge } from "@/components/plugin-parts";
import { Meter, Stat } from "@/components/stat";
import { Empty, Failure, Loading } from "@/components/states";
import { CopyButton, When } from "@/components/text";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader } from "@/components/ui/card";
import { bytes, count, milliseconds } from "@/lib/format";
import { useProject } from "@/lib/use-project";

interface Sample {
  at: string;
  rate: number;
  errors: number;
}

export function Overview() {
  const project = useProject();
  const about = useQuery(projectQuery(project));
  const usage = useQuery({ ...usageQuery(project), refetchInterval: 10_000 });
  const plugins = useQuery({ ...installationsQuery(project), refetchInterval: 10_000 });
  const queue = useQuery(queueCountsQuery(project));
  const domains = useQuery(domainsQuery(project));
  const events = useQuery({ ...auditQuery({ project }, undefined, 8), refetchInterval: 10_000 });
  const on = (plugins.data?.items ?? []).filter((plugin) => plugin.enabled);
  const metrics = useQueries({ queries: on.map((plugin) => metricsQuery(project, plugin.name)) });

  const rows = on.map((plugin, place) => ({ name: plugin.name, metrics: metrics[place]?.data }));
  const known = rows.filter((row) => row.metrics !== undefined);
  const total = known.reduce((sum, row) => sum + (row.metrics?.requests ?? 0), 0);
  const errors = known.reduce((sum, row) => sum + (row.metrics?.errors ?? 0), 0);
  const complete = plugins.data !== undefined && known.length === on.length;
  const at = Math.max(0, ...metrics.map((one) => one.dataUpdatedAt));

  const [samples, setSamples] = useState<{ last: { total: number; errors: number; time: number } | undefined; list: Sample[] }>({
    last: undefined,
    list: [],
  });
  useEffect(() => {
    if (!complete || at === 0) return;
    setSamples(({ last, list }) => {
      if (last && at - last.time < 3_000) return { last, list };
      if (!last) return { last: { total, errors, time: at }, list };
      const seconds = (at - last.time) / 1_000;
      const sample = {
        at: new Date(at).toLocaleTimeString("en-GB"),
        rate: Math.max(0, total - last.total) / seconds,
        errors: Math.max(0, errors - last.errors) / seconds,
      };
      return { last: { total, errors, time: at }, list: [...list, sample].slice(-120) };
    });
  }, [complete, at, total, errors]);

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
  const slowest = known.reduce((most, row) => Math.max(most, row.metrics?.latency_ms.p95 ?? 0), 0);
  const storage = usage.data?.storage;
  const rate = (value: number) => `${value < 10 ? value.toFixed(1) : Math.round(value)}/s`;
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
      <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
        <Stat name="Requests" value={usage.data && count(usage.data.requests)} note="since the project began" />
        <Stat
          name="Errors"
          value={complete ? count(errors) : undefined}
          note={total > 0 ? `${((errors / total) * 100).toFixed(1)} % of ${count(total)} since the start` : "since the node's start"}
          {...(errors > 0 ? { tone: "bad" as const } : {})}
        />
        <Stat name="Latency, p95" value={complete ? milliseconds(slowest) : undefined} note="of the slowest plugin" />
        <Stat
          name="Storage"
          value={storage && bytes(storage.used_bytes)}
          note={storage && (storage.limit_bytes ? `of ${bytes(storage.limit_bytes)}` : "no limit set")}
        />
      </div>
      {storage?.limit_bytes ? (
        <div className="mt-3">
          <Meter value={storage.used_bytes} of={storage.limit_bytes} label="Storage used" />
        </div>
      ) : null}
      <div className="mt-4 grid gap-4 lg:grid-cols-2">
        <Card>
          <CardHeader title="Requests now" description="Of all plugins on the node that answers, since this page was opened." />
          <CardBody>
            <Lines
              label="Requests and errors a second"
              data={samples.list}
              x="at"
              format={rate}
              series={[
                { key: "rate", name: "Requests", colour: 1 },
                { key: "errors", name: "Errors", colour: 4 },
              ]}
            />
          </CardBody>
        </Card>
        <Card>
          <CardHeader title="By plugin" description="Requests since the node's start." />
          <CardBody>
            {known.length === 0 ? (
              plugins.data ? (
                <Empty icon={Boxes} title="No plugin is on" className="py-6" />
              ) : (
                <Loading rows={4} />
              )
            ) : (
              <Bars
                label="Requests by plugin"
                data={known.map((row) => ({ name: row.name, requests: row.metrics?.requests, errors: row.metrics?.errors }))}
                x="name"
                format={(value) => count(value)}
                series={[
                  { key: "requests", name: "Requests", colour: 1 },
                  { key: "errors", name: "Errors", colour: 4 },
                ]}
              />
            )}
          </CardBody>
        </Card>
        <Card className="self-start">
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
                    className="min-w-0 flex-1 truncate text-sm font-medium hover:underline"
                  >
                    {plugin.name}
                  </Link>
                  <span className="text-xs text-muted tabular-nums">
                    {milliseconds(rows.find((row) => row.name === plugin.name)?.metrics?.latency_ms.p50 ?? 0)}
                  </span>
                  <HealthBadge plugin={plugin} />
                </li>
              ))}
            </ul>
          )}
        </Card>
        <div className="grid content-start gap-4">
          <Card>
            <CardHeader
              title="Queue"
              actions={
                <Button asChild size="sm" variant="ghost">
                  <Link to="/projects/$project/queue" params={{ project }}>
                    Look into it
                  </Link>
                </Button>
              }
            />
            <CardBody className="grid grid-cols-3 gap-3 text-sm">
              {(
                [
                  ["waiting", (queue.data?.ready ?? 0) + (queue.data?.waiting ?? 0) + (queue.data?.scheduled ?? 0) + (queue.data?.held ?? 0)],
                  ["running", queue.data?.running],
                  ["dead", queue.data?.dead],
                ] as const
              ).map(([name, value]) => (
                <div key={name}>
                  <p className="text-xs text-muted">{name}</p>
                  <p className={`text-lg font-semibold tabular-nums ${name === "dead" && value ? "text-bad" : ""}`}>
                    {queue.data ? count(value ?? 0) : "–"}
                  </p>
                </div>
              ))}
            </CardBody>
          </Card>
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
              <Loading rows={3} />
            ) : events.data.items.length === 0 ? (
              <Empty icon={Activity} title="Nothing has happened yet" className="py-6" />
            ) : (
              <ul className="border-t border-border">
                {events.data.items.map((event) => (
                  <li key={event.seq} className="flex items-center gap-3 border-b border-border px-4 py-2 text-[0.8125rem] last:border-0">
                    <span className="min-w-0 flex-1 truncate">
                      <span className="font-medium">{event.action}</span> <span className="text-muted">{event.target}</span>
                    </span>
                    <span className="shrink-0 text-xs text-muted">
                      <When at={event.at} />
                    </span>
                  </li>
                ))}
              </ul>
            )}
          </Card>
        </div>
      </div>
    </>
  );
}
