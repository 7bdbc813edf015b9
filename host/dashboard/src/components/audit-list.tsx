import { useQuery } from "@tanstack/react-query";
import { Download, ShieldCheck } from "lucide-react";
import { useMemo, useState } from "react";
import { type Audit, type AuditFilter, auditQuery } from "@/api/queries";
import { useCursorPages } from "@/lib/pages";
import { moment } from "@/lib/format";
import { ActorName } from "./actor";
import { type Col, DataTable } from "./data-table";
import { Filters, LiveSwitch } from "./filters";
import { Empty } from "./states";
import { Code, CopyButton, When } from "./text";
import { Badge } from "./ui/badge";
import { Button } from "./ui/button";
import { Card } from "./ui/card";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Input, Select } from "./ui/input";
import { Menu, MenuContent, MenuItem, MenuTrigger } from "./ui/menu";

type Words = AuditFilter & { pages?: string; entry?: string };

function Event({ event, close }: { event: Audit; close: () => void }) {
  const facts: [string, string | null][] = [
    ["When", moment(event.at)],
    ["Kind of who", event.actor_kind],
    ["Who", event.actor_id],
    ["What", event.action],
    ["To what", event.target],
    ["Project", event.project_id],
    ["Request", event.request_id],
  ];
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent side title={event.action} description={`Entry ${event.seq}`}>
        <dl className="mb-4 grid grid-cols-[6rem_1fr] gap-y-1.5 text-[0.8125rem]">
          {facts.map(([name, value]) => (
            <div key={name} className="contents">
              <dt className="text-muted">{name}</dt>
              <dd className="flex items-center gap-1 break-all">
                {name === "Who" && value ? <ActorName id={value} /> : (value ?? "–")}
                {value && name !== "When" && name !== "Kind of who" && <CopyButton text={value} label={`Copy: ${name}`} className="size-6" />}
              </dd>
            </div>
          ))}
        </dl>
        <Code text={JSON.stringify(event.details, null, 2)} label="Copy the details" />
      </DialogContent>
    </DialogRoot>
  );
}

const spans: [string, string, number][] = [
  ["hour", "the last hour", 3_600_000],
  ["day", "the last day", 86_400_000],
  ["week", "the last week", 604_800_000],
  ["month", "the last 30 days", 2_592_000_000],
];

/** Who did what: the audit, filtered, page by page or as it grows. */
export function AuditList({ project, words, change }: { project?: string; words: Words; change: (part: Partial<Record<keyof Words, string | undefined>>) => void }) {
  const { cursor, pager } = useCursorPages();
  const [live, setLive] = useState(true);
  const filter: AuditFilter = {
    ...(project ? { project } : words.project ? { project: words.project } : {}),
    ...(words.actor ? { actor: words.actor } : {}),
    ...(words.action ? { action: words.action } : {}),
    ...(words.target ? { target: words.target } : {}),
    ...(words.from ? { from: words.from } : {}),
  };
  const { data, error, refetch, isPlaceholderData } = useQuery({
    ...auditQuery(filter, cursor),
    refetchInterval: live && !cursor ? 3_000 : false,
  });
  const entry = words.entry && /^\d{1,15}$/.test(words.entry) ? Number(words.entry) : undefined;
  const listed = data?.items.find((event) => event.seq === entry);
  // An entry that somebody was sent a link to may be on another page.
  const { data: sent } = useQuery({
    ...auditQuery(project ? { project } : {}, String((entry ?? 0) + 1), 1),
    enabled: entry !== undefined && data !== undefined && !listed,
  });
  const open = listed ?? sent?.items.find((event) => event.seq === entry);
  const columns = useMemo<Col<Audit>[]>(
    () => [
      {
        id: "action",
        head: "What",
        cell: (event) => (
          <button type="button" className="block max-w-64 truncate text-left font-medium hover:underline" onClick={() => change({ entry: String(event.seq) })}>
            {event.action}
          </button>
        ),
      },
      {
        id: "target",
        head: "To what",
        cell: (event) => (
          <span className="block max-w-64 truncate font-mono text-xs text-muted" title={event.target ?? ""}>
            {event.target}
          </span>
        ),
      },
      {
        id: "actor",
        head: "Who",
        wide: true,
        cell: (event) => (
          <span className="flex items-center gap-1.5">
            <Badge>{event.actor_kind}</Badge>
            {event.actor_id && (
              <button
                type="button"
                title={`Only what ${event.actor_id} did`}
                className="max-w-52 truncate text-xs text-muted hover:underline"
                onClick={() => change({ actor: event.actor_id ?? undefined, pages: undefined })}
              >
                <ActorName id={event.actor_id} short />
              </button>
            )}
          </span>
        ),
      },
      { id: "at", head: "When", cell: (event) => <When at={event.at} /> },
    ],
    [change],
  );
  const exported = (format: string) => {
    const query = new URLSearchParams({ ...filter, format } as Record<string, string>);
    return `/admin/v1/audit/export?${query}`;
  };
  return (
    <Card>
      <Filters
        typed={["action", "target", "actor"]}
        apply={(typed) => change({ ...typed, pages: undefined })}
        after={
          <>
            {!cursor && <LiveSwitch live={live} change={setLive} />}
            <Menu>
              <MenuTrigger asChild>
                <Button size="sm" variant="ghost">
                  <Download aria-hidden /> Export
                </Button>
              </MenuTrigger>
              <MenuContent>
                <MenuItem asChild>
                  <a href={exported("csv")} download="audit.csv">
                    As CSV
                  </a>
                </MenuItem>
                <MenuItem asChild>
                  <a href={exported("ndjson")} download="audit.ndjson">
                    As JSON lines
                  </a>
                </MenuItem>
              </MenuContent>
            </Menu>
          </>
        }
      >
        <Input key={`a${words.action}`} name="action" type="search" aria-label="Action" placeholder="Action, as project.*" className="w-full sm:w-44" defaultValue={words.action ?? ""} />
        <Input key={`t${words.target}`} name="target" type="search" aria-label="Target" placeholder="To what" className="w-full sm:w-44" defaultValue={words.target ?? ""} />
        <Input key={`w${words.actor}`} name="actor" type="search" aria-label="Actor" placeholder="Id of who" className="w-full sm:w-44" defaultValue={words.actor ?? ""} />
        <Select
          aria-label="Since"
          className="w-40"
          value={spans.find(([name]) => words.from?.startsWith(name))?.[0] ?? ""}
          onChange={(event) => {
            const span = spans.find(([name]) => name === event.target.value);
            change({ from: span ? new Date(Date.now() - span[2]).toISOString() : undefined, pages: undefined });
          }}
        >
          <option value="">{words.from ? `since ${moment(words.from)}` : "since ever"}</option>
          {spans.map(([name, label]) => (
            <option key={name} value={name}>
              {label}
            </option>
          ))}
        </Select>
      </Filters>
      <DataTable
        label="Audit"
        columns={columns}
        rows={data?.items}
        error={error}
        retry={() => void refetch()}
        stale={isPlaceholderData}
        rowKey={(event) => String(event.seq)}
        pager={pager(data?.next_cursor)}
        empty={
          <Empty icon={ShieldCheck} title="Nothing is like that">
            The audit is append only: what happened stays.
          </Empty>
        }
      />
      {open && <Event event={open} close={() => change({ entry: undefined })} />}
    </Card>
  );
}
