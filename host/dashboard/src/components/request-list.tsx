import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Waypoints } from "lucide-react";
import { useMemo, useState } from "react";
import { type Schemas, api, take } from "@/api/client";
import { bytes, count, milliseconds } from "@/lib/format";
import { useCursorPages } from "@/lib/pages";
import { type Col, DataTable } from "./data-table";
import { Filters, LiveSwitch } from "./filters";
import { Empty } from "./states";
import { Cut, When } from "./text";
import { Badge, type Tone } from "./ui/badge";
import { Card } from "./ui/card";
import { Input, Select } from "./ui/input";

type Asked = Schemas["RequestView"];

/** What is asked for, as it stands in the address. */
export interface RequestWords {
  plugin?: string;
  status?: string;
  method?: string;
  q?: string;
  request?: string;
  slower?: string;
  pages?: string;
}

const toneOf = (status: number): Tone => (status >= 500 ? "bad" : status >= 400 ? "warn" : "good");

const endings: [string, string][] = [
  ["failed", "that failed"],
  ["2xx", "answered (2xx)"],
  ["3xx", "led elsewhere (3xx)"],
  ["4xx", "refused (4xx)"],
  ["5xx", "broken (5xx)"],
];

/** What a project was asked, the newest first, page by page or as it comes. */
export function RequestList({
  project,
  plugins,
  words,
  change,
  lines,
}: {
  project: string;
  plugins: string[];
  words: RequestWords;
  change: (part: Partial<Record<keyof RequestWords, string | undefined>>) => void;
  /** Shows what plugins wrote during a request. */
  lines: (request: string) => void;
}) {
  const { cursor, pager } = useCursorPages();
  const [live, setLive] = useState(true);
  const query = {
    limit: 50,
    ...(words.plugin ? { plugin: words.plugin } : {}),
    ...(words.status ? { status: words.status } : {}),
    ...(words.method ? { method: words.method } : {}),
    ...(words.q ? { q: words.q } : {}),
    ...(words.request ? { request_id: words.request } : {}),
    ...(words.slower ? { slower_ms: Number(words.slower) } : {}),
    ...(cursor ? { cursor } : {}),
  };
  const { data, error, refetch, isPlaceholderData } = useQuery({
    queryKey: ["project", project, "requests", query],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/requests", { params: { path: { project }, query }, signal })),
    placeholderData: keepPreviousData,
    refetchInterval: live && !cursor ? 2_000 : false,
  });
  const columns = useMemo<Col<Asked>[]>(
    () => [
      {
        id: "path",
        head: "Request",
        cell: (one) => (
          <span className="flex items-center gap-2">
            <span className="w-14 shrink-0 font-mono text-xs text-muted">{one.method}</span>
            <Cut text={one.path} mono className="max-w-[45vw] sm:max-w-80" />
          </span>
        ),
      },
      { id: "status", head: "Answer", sort: (one) => one.status, cell: (one) => <Badge tone={toneOf(one.status)}>{one.status}</Badge> },
      { id: "latency", head: "Took", sort: (one) => one.latency_ms, cell: (one) => <span className="whitespace-nowrap tabular-nums">{milliseconds(one.latency_ms)}</span> },
      { id: "bytes", head: "Size", wide: true, sort: (one) => one.bytes, cell: (one) => <span className="tabular-nums">{bytes(one.bytes)}</span> },
      { id: "plugin", head: "Plugin", wide: true, sort: (one) => one.plugin, cell: (one) => one.plugin ?? <span className="text-muted">–</span> },
      { id: "caller", head: "By", wide: true, sort: (one) => one.caller, cell: (one) => (one.caller ? <Badge>{one.caller}</Badge> : <span className="text-muted">–</span>) },
      {
        id: "lines",
        head: "Id",
        wide: true,
        cell: (one) =>
          one.request_id && (
            <button
              type="button"
              title={`What plugins wrote during the request ${one.request_id}`}
              className="font-mono text-xs text-muted hover:underline"
              onClick={() => one.request_id && lines(one.request_id)}
            >
              …{one.request_id.slice(-8)}
            </button>
          ),
      },
      {
        id: "at",
        head: "When",
        cell: (one) => (
          <span>
            <When at={one.at} />
            {one.missed > 0 && (
              <span className="block text-xs text-muted" title="They came too fast to be kept, and are counted in the overview.">
                {count(one.missed)} before it not kept
              </span>
            )}
          </span>
        ),
      },
    ],
    [lines],
  );
  return (
    <Card>
      <Filters
        typed={["q", "request"]}
        apply={(typed) => change({ ...typed, pages: undefined })}
        after={!cursor && <LiveSwitch live={live} change={setLive} />}
      >
        <Input key={`q${words.q}`} type="search" name="q" aria-label="Path" placeholder="Path" className="w-full sm:w-44" defaultValue={words.q ?? ""} />
        <Input key={`r${words.request}`} type="search" name="request" aria-label="Request" placeholder="Id of a request" className="w-full sm:w-44" defaultValue={words.request ?? ""} />
        <Select aria-label="Method" className="w-[calc(50%-0.25rem)] sm:w-40" value={words.method ?? ""} onChange={(event) => change({ method: event.target.value || undefined, pages: undefined })}>
          <option value="">All methods</option>
          {["GET", "POST", "PUT", "PATCH", "DELETE"].map((name) => (
            <option key={name}>{name}</option>
          ))}
        </Select>
        <Select aria-label="Answer" className="w-[calc(50%-0.25rem)] sm:w-44" value={words.status ?? ""} onChange={(event) => change({ status: event.target.value || undefined, pages: undefined })}>
          <option value="">All answers</option>
          {words.status && !endings.some(([value]) => value === words.status) && <option value={words.status}>{words.status}</option>}
          {endings.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
        </Select>
        <Select aria-label="Plugin" className="w-[calc(50%-0.25rem)] sm:w-40" value={words.plugin ?? ""} onChange={(event) => change({ plugin: event.target.value || undefined, pages: undefined })}>
          <option value="">All plugins</option>
          {plugins.map((name) => (
            <option key={name}>{name}</option>
          ))}
        </Select>
        <Select aria-label="Took" className="w-[calc(50%-0.25rem)] sm:w-44" value={words.slower ?? ""} onChange={(event) => change({ slower: event.target.value || undefined, pages: undefined })}>
          <option value="">However long</option>
          {["100", "500", "1000", "5000"].map((value) => (
            <option key={value} value={value}>
              {milliseconds(Number(value))} and more
            </option>
          ))}
        </Select>
      </Filters>
      <DataTable
        sortWord="by"
        label="Requests"
        columns={columns}
        rows={data?.items}
        error={error}
        retry={() => void refetch()}
        stale={isPlaceholderData}
        rowKey={(one) => String(one.seq)}
        pager={pager(data?.next_cursor)}
        empty={
          <Empty icon={Waypoints} title="No request is like that">
            Requests to this project appear here, with how they ended and how long they took.
          </Empty>
        }
      />
    </Card>
  );
}
