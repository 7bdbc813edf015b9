/** What a plugin did: over time on all nodes, and since it was brought up on the one that answers. */
import { useQuery } from "@tanstack/react-query";
import { metricsQuery } from "@/api/queries";
import { bytes, count, milliseconds } from "@/lib/format";
import { RangeChoice, SeriesCharts, useRange } from "./series";
import { Stat } from "./stat";
import { Failure } from "./states";
import { Card } from "./ui/card";

export function PluginMetrics({ project, plugin }: { project: string; plugin: string }) {
  const { data, error, refetch } = useQuery(metricsQuery(project, plugin));
  const [range, choose] = useRange();
  return (
    <div className="grid gap-4">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <div>
          <h2 className="text-sm font-semibold">Over time</h2>
          <p className="mt-0.5 text-[0.8125rem] text-muted">Requests from outside on all nodes, up to the last whole minute.</p>
        </div>
        <RangeChoice range={range} choose={choose} />
      </div>
      <SeriesCharts project={project} plugin={plugin} range={range} className="xl:grid-cols-3" />
      <div className="mt-2">
        <h2 className="text-sm font-semibold">Since it was brought up</h2>
        <p className="mt-0.5 text-[0.8125rem] text-muted">On the node that answers; calls by other plugins included.</p>
      </div>
      {error && !data ? (
        <Card>
          <Failure error={error} retry={() => void refetch()} />
        </Card>
      ) : (
        <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
          <Stat name="Requests" value={data && count(data.requests)} />
          <Stat
            name="Errors"
            value={data && count(data.errors)}
            {...(data && data.errors > 0 ? { tone: "bad" as const } : {})}
            note={data && `${data.traps} traps, ${data.timeouts} time-outs`}
          />
          <Stat name="Refused" value={data && count(data.refused)} note="saturated or cut off" {...(data && data.refused > 0 ? { tone: "warn" as const } : {})} />
          <Stat
            name="Latency, median"
            value={data && milliseconds(data.latency_ms.p50)}
            note={data && `p95 ${milliseconds(data.latency_ms.p95)}, p99 ${milliseconds(data.latency_ms.p99)}`}
          />
          <Stat name="Running now" value={data && count(data.running)} />
          <Stat name="Instances made" value={data && count(data.instantiations)} />
          <Stat name="Memory" value={data && bytes(data.memory_bytes)} note="of the instance used last" />
        </div>
      )}
    </div>
  );
}
