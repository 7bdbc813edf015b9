/** What a project, a plugin or the platform did over time: charts, each with its numbers as a table. */
import { useQuery } from "@tanstack/react-query";
import { ChartColumn, ChartLine, Database, Hourglass, type LucideIcon, Table2 } from "lucide-react";
import { Suspense, lazy, useMemo, useState } from "react";
import { cn } from "@/lib/cn";
import { bytes, count, milliseconds } from "@/lib/format";
import { useWords } from "@/lib/pages";
import type { Drawn } from "./chart";
import { type Range, type SeriesAnswer, type SeriesPoint, rangeOf, ranges, seriesQuery } from "./series-queries";
import { Stat } from "./stat";
import { Empty, Failure, Skeleton } from "./states";
import { Button } from "./ui/button";
import { Card, CardBody } from "./ui/card";

const Chart = lazy(() => import("./chart"));

/** The range that the address names, and a way to name another. */
export function useRange(): [Range, (id: Range["id"]) => void] {
  const [words, change] = useWords<"range">();
  return [rangeOf(words.range), (id) => change({ range: id === "24h" ? undefined : id }, { replace: true })];
}

export function RangeChoice({ range, choose }: { range: Range; choose: (id: Range["id"]) => void }) {
  return (
    <div role="group" aria-label="Time shown" className="inline-flex rounded-md border border-border bg-panel p-0.5">
      {ranges.map(({ id, name, words }) => (
        <button
          key={id}
          type="button"
          aria-pressed={id === range.id}
          aria-label={`Show ${words}`}
          className={cn(
            "rounded px-2.5 py-1 text-xs font-medium whitespace-nowrap text-muted hover:text-foreground",
            id === range.id && "bg-accent text-accent-foreground hover:text-accent-foreground",
          )}
          onClick={() => choose(id)}
        >
          {name}
        </button>
      ))}
    </div>
  );
}

/** Days are those of UTC, all else is told by the clock here. */
const clocks = (range: Range) => {
  const zone = range.step === "day" ? ({ timeZone: "UTC" } as const) : {};
  const day = { day: "numeric", month: "short" } as const;
  const time = { hour: "2-digit", minute: "2-digit" } as const;
  const tick = new Intl.DateTimeFormat("en-GB", { ...(range.hours > 24 ? day : time), ...zone });
  const full = new Intl.DateTimeFormat("en-GB", { weekday: "short", ...day, ...(range.step === "day" ? {} : time), ...zone });
  return { tick: (at: number) => tick.format(at), moment: (at: number) => full.format(at) };
};

interface Told extends Drawn {
  of: (point: SeriesPoint) => number | null;
  /** What stands beside its name. */
  sum?: string | undefined;
}

interface Picture {
  title: string;
  description: string;
  told: Told[];
  format: (value: number) => string;
  icon: LucideIcon;
  nothing: string;
}

const failing = ({ requests, client_errors, server_errors }: SeriesAnswer["total"]) => ({
  fine: requests - client_errors - server_errors,
  refused: client_errors,
  failed: server_errors,
});

/** Short at an axis: 12k rather than 12,000. */
const short = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const numbers = (value: number): string => (value < 10_000 ? count(value) : short.format(value));

function picturesOf({ points, total }: SeriesAnswer, range: Range, whole: boolean): Picture[] {
  const sums = failing(total);
  const last = points.at(-1);
  const pictures: Picture[] = [
    {
      title: "Requests",
      description: `In ${range.each} each, by how they were answered.`,
      icon: ChartColumn,
      nothing: "No requests came in this time",
      format: numbers,
      told: [
        { key: "fine", name: "Answered", colour: 1, as: "bar", of: (point) => failing(point).fine, sum: count(sums.fine) },
        { key: "refused", name: "Refused (4xx)", colour: 3, as: "bar", of: (point) => point.client_errors, sum: count(sums.refused) },
        { key: "failed", name: "Failed (5xx)", colour: 4, as: "bar", of: (point) => point.server_errors, sum: count(sums.failed) },
      ],
    },
    {
      title: "Latency",
      description: "Until the head of the answer, about.",
      icon: ChartLine,
      nothing: "Nothing was answered in this time",
      format: milliseconds,
      told: [
        { key: "p95", name: "p95", colour: 2, as: "line", of: (point) => point.latency_ms?.p95 ?? null, sum: total.latency_ms ? milliseconds(total.latency_ms.p95) : undefined },
        { key: "p50", name: "Median", colour: 1, as: "line", of: (point) => point.latency_ms?.p50 ?? null, sum: total.latency_ms ? milliseconds(total.latency_ms.p50) : undefined },
      ],
    },
  ];
  if (whole) {
    pictures.push({
      title: "Storage",
      description: "Bytes of objects, uploads under way included.",
      icon: Database,
      nothing: "Nothing was stored in this time",
      format: bytes,
      told: [
        {
          key: "storage",
          name: "In use",
          colour: 2,
          as: "level",
          of: (point) => point.storage_bytes,
          sum: last?.storage_bytes === null ? undefined : bytes(last?.storage_bytes),
        },
      ],
    });
  }
  pictures.push({
    title: "Jobs",
    description: `Work of the queue: jobs, events and mails, in ${range.each} each.`,
    icon: Hourglass,
    nothing: "No work came in this time",
    format: numbers,
    told: [
      { key: "done", name: "Done", colour: 1, as: "bar", of: (point) => point.jobs_done, sum: count(total.jobs_done) },
      { key: "given-up", name: "Given up", colour: 4, as: "bar", of: (point) => point.jobs_failed, sum: count(total.jobs_failed) },
      ...(whole
        ? [
            {
              key: "waiting",
              name: "Waiting",
              colour: 3,
              as: "line",
              of: (point: SeriesPoint) => point.jobs_waiting,
              sum: last?.jobs_waiting === null ? undefined : count(last?.jobs_waiting ?? 0),
            } as const,
          ]
        : []),
    ],
  });
  return pictures;
}

type Row = Record<string, number | null> & { at: number };

function Numbers({ picture, rows, moment }: { picture: Picture; rows: Row[]; moment: (at: number) => string }) {
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
    <div className="h-44 overflow-auto rounded-md border border-border" tabIndex={0} role="region" aria-label={`${picture.title}, the numbers`}>
      <table className="w-full text-xs tabular-nums">
        <thead className="sticky top-0 bg-raised">
          <tr>
            <th scope="col" className="px-3 py-1.5 text-left font-medium">
              From
            </th>
            {picture.told.map(({ key, name }) => (
              <th key={key} scope="col" className="px-3 py-1.5 text-right font-medium">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.toReversed().map((row) => (
            <tr key={row.at} className="border-t border-border">
              <th scope="row" className="px-3 py-1 text-left font-normal whitespace-nowrap text-muted">
                {moment(row.at)}
              </th>
              {picture.told.map(({ key }) => {
                const value = row[key];
                return (
                  <td key={key} className="px-3 py-1 text-right whitespace-nowrap">
                    {value === null || value === undefined ? "–" : picture.format(value)}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function PictureCard({ picture, points, range, stale }: { picture: Picture; points: SeriesPoint[]; range: Range; stale: boolean }) {
  const [asTable, setAsTable] = useState(false);
  const { tick, moment } = useMemo(() => clocks(range), [range]);
  const rows = useMemo(
    () =>
      points.map((point): Row => {
        const row: Row = { at: Date.parse(point.at) };
        for (const { key, of } of picture.told) row[key] = of(point);
        return row;
      }),
    [points, picture],
  );
  const something = rows.some((row) => picture.told.some(({ key }) => (row[key] ?? 0) !== 0));
  const told = picture.told.filter(({ sum }) => sum !== undefined);
  return (
    <Card className={cn("min-w-0 transition-opacity", stale && "opacity-60")} aria-label={picture.title}>
      <header className="flex items-start gap-3 px-4 pt-3.5 pb-2">
        <div className="min-w-0 flex-1">
          <h3 className="text-sm font-semibold">{picture.title}</h3>
          <p className="mt-0.5 text-xs text-muted">{picture.description}</p>
        </div>
        {something && (
          <Button
            size="icon-sm"
            variant="ghost"
            aria-pressed={asTable}
            aria-label={`${picture.title} as a table`}
            title={asTable ? "Show the chart" : "Show the numbers"}
            onClick={() => setAsTable(!asTable)}
          >
            {asTable ? <ChartColumn aria-hidden /> : <Table2 aria-hidden />}
          </Button>
        )}
      </header>
      <CardBody className="pb-3">
        {!something ? (
          <Empty icon={picture.icon} title={picture.nothing} className="h-50 content-center py-0" />
        ) : (
          <>
            {asTable ? (
              <Numbers picture={picture} rows={rows} moment={moment} />
            ) : (
              <Suspense fallback={<Skeleton className="h-44" />}>
                <Chart
                  data={rows}
                  drawn={picture.told}
                  format={picture.format}
                  tick={tick}
                  moment={moment}
                  label={`${picture.title} within ${range.words}: ${told.map(({ name, sum }) => `${name} ${sum}`).join(", ")}. The numbers are in the table.`}
                />
              </Suspense>
            )}
            <ul className="mt-2 flex flex-wrap gap-x-4 gap-y-1 text-xs">
              {picture.told.map(({ key, name, colour, sum }) => (
                <li key={key} className="flex items-center gap-1.5">
                  <span aria-hidden className="size-2 rounded-[2px]" style={{ background: `var(--chart-${colour})` }} />
                  <span className="text-muted">{name}</span>
                  {sum !== undefined && <span className="font-medium tabular-nums">{sum}</span>}
                </li>
              ))}
            </ul>
          </>
        )}
      </CardBody>
    </Card>
  );
}

function Waiting() {
  return (
    <Card aria-hidden className="grid gap-3 p-4">
      <Skeleton className="h-5 w-28" />
      <Skeleton className="h-50" />
    </Card>
  );
}

/** The most important numbers of a range. */
export function SeriesStats({ total, range, last }: { total: SeriesAnswer["total"] | undefined; range: Range; last?: SeriesPoint | undefined }) {
  const part = total && total.requests > 0 ? (total.server_errors / total.requests) * 100 : 0;
  const latency = total?.latency_ms;
  return (
    <>
      <Stat name="Requests" value={total && count(total.requests)} note={range.words} />
      <Stat
        name="Failed (5xx)"
        value={total && count(total.server_errors)}
        note={total && (total.requests > 0 ? `${part > 0 && part < 0.1 ? "under 0.1" : part.toFixed(1)} % of the requests` : "of none")}
        {...(total && total.server_errors > 0 ? { tone: "bad" as const } : {})}
      />
      <Stat
        name="Latency, p95"
        value={total && (latency ? milliseconds(latency.p95) : "–")}
        note={latency ? `median ${milliseconds(latency.p50)}` : "nothing was answered"}
      />
      {last !== undefined && <Stat name="Storage" value={bytes(last.storage_bytes ?? 0)} note="in use" />}
    </>
  );
}

/** Everything that is known of a project, of one plugin, or of all projects. */
export function SeriesCharts({
  project,
  plugin,
  range,
  className,
}: {
  project?: string | undefined;
  plugin?: string | undefined;
  range: Range;
  className?: string;
}) {
  const { data, error, refetch, isPlaceholderData } = useQuery(seriesQuery(project, plugin, range));
  const pictures = useMemo(() => data && picturesOf(data, range, plugin === undefined), [data, range, plugin]);
  if (error && !data) {
    return (
      <Card>
        <Failure error={error} retry={() => void refetch()} />
      </Card>
    );
  }
  return (
    <div className={cn("grid content-start gap-4 md:grid-cols-2", className)} aria-busy={!data}>
      {data && pictures
        ? pictures.map((picture) => <PictureCard key={picture.title} picture={picture} points={data.points} range={range} stale={isPlaceholderData} />)
        : Array.from({ length: plugin === undefined ? 4 : 3 }, (_, place) => <Waiting key={place} />)}
    </div>
  );
}
