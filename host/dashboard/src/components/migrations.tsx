import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Download, FileClock } from "lucide-react";
import { useMemo, useState } from "react";
import { type Schemas, api, take } from "@/api/client";
import { moment, plural } from "@/lib/format";
import { useCursorPages } from "@/lib/pages";
import { ActorName } from "./actor";
import { type Col, DataTable } from "./data-table";
import { Empty, Note } from "./states";
import { Code, When } from "./text";
import { Badge } from "./ui/badge";
import { Button } from "./ui/button";
import { Card, CardHeader } from "./ui/card";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Input, Select } from "./ui/input";

type Migration = Schemas["MigrationView"];
type Change = Schemas["ProjectMigrationView"];

/** The migrations that the platform, and the plugins of a project, bring with them. */
export function BroughtMigrations({ project }: { project: string | undefined }) {
  const [of, setOf] = useState("");
  const [text, setText] = useState("");
  const { data, error, refetch } = useQuery({
    queryKey: project === undefined ? ["migrations"] : ["project", project, "migrations", "brought"],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/migrations", { params: { query: project === undefined ? {} : { project } }, signal })),
  });
  const columns = useMemo<Col<Migration>[]>(
    () => [
      { id: "name", head: "Migration", sort: (one) => one.name, cell: (one) => <code className="text-xs break-all">{one.name}</code> },
      { id: "scope", head: "Of", sort: (one) => one.plugin ?? one.scope, cell: (one) => one.plugin ?? <span className="text-muted">{one.scope}</span> },
      {
        id: "state",
        head: "State",
        sort: (one) => one.applied,
        cell: (one) => <Badge tone={one.applied ? "good" : "warn"}>{one.applied ? "ran" : "waits"}</Badge>,
      },
    ],
    [],
  );
  const whose = useMemo(() => [...new Set((data?.items ?? []).map((one) => one.plugin ?? one.scope))], [data]);
  const rows = useMemo(
    () =>
      data?.items
        .filter((one) => (!of || (one.plugin ?? one.scope) === of) && one.name.includes(text.trim()))
        // What concerns the project stands first.
        .toSorted((one, other) => Number(other.plugin !== null) - Number(one.plugin !== null)),
    [data, of, text],
  );
  const waiting = (data?.items ?? []).filter((one) => !one.applied).length;
  return (
    <Card>
      <CardHeader
        title={project === undefined ? "Migrations" : "Brought by plugins and the platform"}
        description={
          data &&
          `${plural(data.items.length, "migration")}, ${waiting === 0 ? "all of which ran" : `${plural(waiting, "of them waits", "of them wait")} for the next start`}. A plugin's run when a revision with new ones is switched on.`
        }
        actions={
          <div className="flex w-full flex-wrap gap-2 sm:w-auto">
            <Input type="search" aria-label="Search migrations" placeholder="Name" className="w-full sm:w-44" value={text} onChange={(event) => setText(event.target.value)} />
            {whose.length > 1 && (
              <Select aria-label="Of" className="w-full sm:w-36" value={of} onChange={(event) => setOf(event.target.value)}>
                <option value="">All</option>
                {whose.map((name) => (
                  <option key={name}>{name}</option>
                ))}
              </Select>
            )}
          </div>
        }
      />
      <DataTable
        label="Migrations"
        columns={columns}
        rows={rows}
        error={error}
        retry={() => void refetch()}
        rowKey={(one) => `${one.scope} ${one.plugin} ${one.name}`}
        pageSize={15}
        empty={<Empty title={text || of ? "No migration is like that" : "None"} className="py-8" />}
      />
    </Card>
  );
}

/** What was done to a project's own tables, in order, with the statements that did it. */
function OwnChanges({ project }: { project: string }) {
  const { cursor, pager } = useCursorPages();
  const [open, setOpen] = useState<Change>();
  const query = { limit: 25, ...(cursor ? { cursor } : {}) };
  const { data, error, refetch, isPlaceholderData } = useQuery({
    queryKey: ["project", project, "migrations", "own", query],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/migrations", { params: { path: { project }, query }, signal })),
    placeholderData: keepPreviousData,
  });
  const columns = useMemo<Col<Change>[]>(
    () => [
      { id: "number", head: "No.", sort: (one) => one.number, className: "w-16", cell: (one) => <span className="text-muted tabular-nums">{one.number}</span> },
      {
        id: "title",
        head: "Change",
        sort: (one) => one.title,
        cell: (one) => (
          <button type="button" className="block max-w-72 truncate text-left font-medium hover:underline" onClick={() => setOpen(one)}>
            {one.title}
          </button>
        ),
      },
      { id: "by", head: "By", wide: true, sort: (one) => one.actor, cell: (one) => <span className="block max-w-48 truncate text-muted"><ActorName id={one.actor} /></span> },
      {
        id: "at",
        head: "Made",
        sort: (one) => one.applied_at,
        cell: (one) => (one.applied_at ? <When at={one.applied_at} /> : <Badge tone="warn">cut short</Badge>),
      },
    ],
    [],
  );
  return (
    <Card>
      <CardHeader
        title="Changes of your tables"
        description="Everything that created, altered or dropped a table, here, in the SQL editor or by the API, with the statements that did it."
        actions={
          <Button size="sm" asChild>
            <a href={`/admin/v1/projects/${encodeURIComponent(project)}/migrations.sql`} download={`${project}-migrations.sql`}>
              <Download aria-hidden /> All as SQL
            </a>
          </Button>
        }
      />
      <DataTable
        sortWord="by"
        label="Changes"
        columns={columns}
        rows={data?.items}
        error={error}
        retry={() => void refetch()}
        stale={isPlaceholderData}
        rowKey={(one) => String(one.number)}
        pager={pager(data?.next_cursor)}
        empty={
          <Empty icon={FileClock} title="No table was changed yet" className="py-8">
            Create one on the page of tables, or in the SQL editor: what is done is noted here.
          </Empty>
        }
      />
      {open && (
        <DialogRoot open onOpenChange={(next) => !next && setOpen(undefined)}>
          <DialogContent side title={open.title} description={`Change ${open.number}`}>
            <div className="grid gap-4">
              {open.sql ? <Code text={open.sql} label="Copy the statements" /> : <Note tone="warn">It was cut short: nothing of it is in the database.</Note>}
              <dl className="grid grid-cols-[8rem_1fr] gap-y-1.5 text-[0.8125rem]">
                <dt className="text-muted">By</dt>
                <dd className="break-all">
                  <ActorName id={open.actor} />
                </dd>
                <dt className="text-muted">Began</dt>
                <dd>{moment(open.started_at)}</dd>
                <dt className="text-muted">Made</dt>
                <dd>{open.applied_at ? moment(open.applied_at) : "–"}</dd>
                {open.digest && (
                  <>
                    <dt className="text-muted">SHA-256</dt>
                    <dd className="font-mono text-xs break-all">{open.digest}</dd>
                  </>
                )}
              </dl>
            </div>
          </DialogContent>
        </DialogRoot>
      )}
    </Card>
  );
}

export function Migrations({ project }: { project: string }) {
  return (
    <div className="grid gap-4">
      <OwnChanges project={project} />
      <BroughtMigrations project={project} />
    </div>
  );
}
