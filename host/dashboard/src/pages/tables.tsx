import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Link, useNavigate, useParams } from "@tanstack/react-router";
import { ArrowUpRight, Columns3, Download, Ellipsis, Pencil, Plus, Table2, Trash2, Upload, X } from "lucide-react";
import { type DragEvent, useCallback, useMemo, useRef, useState } from "react";
import { toast } from "sonner";
import { ApiError, api, reason, take } from "@/api/client";
import { type TableDetails, installationsQuery, queryClient, tableQuery, tablesQuery } from "@/api/queries";
import { Confirm } from "@/components/confirm";
import { CsvImport } from "@/components/csv-import";
import { Grid, type Place, shown } from "@/components/grid";
import { PageHeader } from "@/components/page";
import { Policies } from "@/components/policies";
import { Empty, Failure, Loading } from "@/components/states";
import { CreateTable, RowForm, alter, valueOf } from "@/components/table-dialogs";
import { Rename, Structure } from "@/components/table-structure";
import { CopyButton } from "@/components/text";
import { AddFilter, GoTo, operators } from "@/components/table-ways";
import { TransferImport } from "@/components/transfer-import";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { Checkbox } from "@/components/ui/checkbox";
import { Input } from "@/components/ui/input";
import { Menu, MenuContent, MenuItem, MenuSeparator, MenuTrigger } from "@/components/ui/menu";
import { Tab, TabPanel, Tabs, TabsList } from "@/components/ui/tabs";
import { cn } from "@/lib/cn";
import { csv, download } from "@/lib/download";
import { count, plural } from "@/lib/format";
import { useWords } from "@/lib/pages";
import { quote } from "@/lib/sql";
import { useProject } from "@/lib/use-project";

const page = 200;

/** Conditions as the server reads them: a comma in a value is escaped. */
const split = (text: string | undefined): string[] => (text ? text.split(/(?<!\\),/) : []);

function Rows({ project, table }: { project: string; table: TableDetails }) {
  const [words, change] = useWords<"filter" | "order" | "row">();
  const { filter, order } = words;
  // The address counts from one, as people do.
  const target = words.row && /^\d{1,12}$/.test(words.row) ? Math.max(0, Number(words.row) - 1) : undefined;
  const start = target === undefined ? 0 : Math.floor(target / page) * page;
  const key = useMemo(() => ["project", project, "tables", table.name, "rows", filter, order, start], [project, table.name, filter, order, start]);
  const { data, error, refetch, fetchNextPage, hasNextPage, isFetchingNextPage, fetchPreviousPage, isFetchingPreviousPage } = useInfiniteQuery({
    queryKey: key,
    queryFn: ({ pageParam, signal }) =>
      take(
        api.GET("/admin/v1/projects/{project}/tables/{table}/rows", {
          params: {
            path: { project, table: table.name },
            query: { limit: page, offset: pageParam, ...(order ? { order } : {}), ...(filter ? { filter } : {}) },
          },
          signal,
        }),
      ),
    initialPageParam: start,
    getNextPageParam: (last) => last.next_offset ?? undefined,
    getPreviousPageParam: (_first, _pages, from) => (from > 0 ? Math.max(0, from - page) : undefined),
  });
  const offset = Number(data?.pageParams[0] ?? start);
  const rows = useMemo(() => (data?.pages.flatMap((one) => one.rows) ?? []) as unknown[][], [data]);
  const columns = data?.pages[0]?.columns ?? table.columns;
  const [at, setAt] = useState<Place>();
  // By their keys: what somebody else adds or removes meanwhile moves places.
  const [chosen, setChosen] = useState<Map<string, unknown[]>>(new Map());
  const [deleting, setDeleting] = useState(false);
  const [form, setForm] = useState<"new" | readonly unknown[]>();
  const [file, setFile] = useState<File>();
  const plugins = useQuery(installationsQuery(project));
  const transfers = plugins.data?.items.some((one) => one.name === "transfer" && one.enabled) ?? false;
  const [over, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const keys = table.primary_key;
  const writable = table.kind === "table" && keys.length > 0;
  const place = (name: string) => columns.findIndex((column) => column.name === name);

  const write = useCallback(
    (sql: string, params: unknown[]) =>
      take(api.POST("/admin/v1/projects/{project}/sql", { params: { path: { project } }, body: { sql, params: params as never[], mode: "write" } })),
    [project],
  );
  const refresh = () => queryClient.invalidateQueries({ queryKey: key });
  const where = (from: number) => keys.map((name, step) => `${quote(name)} = $${from + step}`).join(" AND ");
  const keyOf = (row: readonly unknown[] | undefined) => keys.map((name) => row?.[place(name)]);

  // Rows that somebody else has changed since they were read, as they are now.
  const overtaken = useRef(new WeakMap<readonly unknown[], readonly unknown[]>());

  /** Changes a row unless somebody else has removed it meanwhile, or changed the same of it. */
  const update = async (row: readonly unknown[], values: Record<string, unknown>) => {
    const names = Object.keys(values);
    if (names.length === 0) return;
    const known = overtaken.current.get(row) ?? row;
    const all = columns.map((column) => quote(column.name)).join(", ");
    const read = async () => (await write(`SELECT ${all} FROM ${quote(table.name)} WHERE ${where(1)}`, keyOf(row))).rows[0];
    /** Says what is there by now, if that is other than what was seen. */
    const refuse = async (now: unknown[] | undefined) => {
      if (!now) {
        await refresh();
        throw new ApiError(409, { code: "row_is_gone", detail: "the row is not there any more; reload to see what is" });
      }
      const other = names.filter((name) => shown(now[place(name)]) !== shown(known[place(name)]));
      if (other.length === 0) return;
      overtaken.current.set(row, now);
      await refresh();
      const words = other.map((name) => `${name} is “${shown(now[place(name)])}” now`).join(", ");
      throw new ApiError(409, { code: "row_was_changed", detail: `somebody has changed this meanwhile: ${words}; save once more to write over it` });
    };
    // Those whose values are the same text on their way here and back stand in
    // the condition; decimals, times and JSON are looked at just before.
    const held = names.filter((name) => ["text", "integer", "boolean", "uuid"].includes(columns[place(name)]?.kind ?? ""));
    if (held.length < names.length) await refuse(await read());
    const from = names.length + keys.length + 1;
    const set = names.map((name, step) => `${quote(name)} = $${step + 1}`).join(", ");
    const still = held.map((name, step) => ` AND ${quote(name)} IS NOT DISTINCT FROM $${from + step}`).join("");
    const answer = await write(`UPDATE ${quote(table.name)} SET ${set} WHERE ${where(names.length + 1)}${still}`, [
      ...names.map((name) => values[name]),
      ...keyOf(row),
      ...held.map((name) => known[place(name)]),
    ]);
    if (answer.row_count === 0) {
      await refuse(await read());
      // It was another for a moment.
      throw new ApiError(409, { code: "row_was_changed", detail: "somebody is changing this row: save once more" });
    }
    await refresh();
  };

  const edit = async ({ column }: Place, text: string | null, row: readonly unknown[]) => {
    const target = columns[column];
    if (!target) return false;
    try {
      await update(row, { [target.name]: valueOf(target, text) });
      return true;
    } catch (failure) {
      toast.error(reason(failure));
      return false;
    }
  };
  const sort = order ? { column: order.replace(/\.(asc|desc)$/, ""), descending: order.endsWith(".desc") } : undefined;
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    const found = event.dataTransfer.files[0];
    if (found && writable) setFile(found);
  };
  const conditions = split(filter);
  const setConditions = (list: string[]) => change({ filter: list.join(",") || undefined, row: undefined });
  const value = at ? rows[at.row - offset]?.[at.column] : undefined;
  const foreign = (name: string) => table.foreign_keys.find((one) => one.columns.length === 1 && one.columns[0] === name);
  const onEnd = useCallback(() => {
    if (hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [hasNextPage, isFetchingNextPage, fetchNextPage]);
  const onStart = useCallback(
    (row: number) => {
      if (isFetchingPreviousPage) return;
      // The page before, or, after a long way up, those around what is looked at.
      if (row >= offset - page) void fetchPreviousPage();
      else change({ row: String(row + 1) }, { replace: true });
    },
    [isFetchingPreviousPage, offset, fetchPreviousPage, change],
  );
  const [asked, setAsked] = useState(0);
  const goTo = async (by: "number" | "key", text: string) => {
    setAsked((times) => times + 1);
    if (by === "number") {
      change({ row: String(Math.max(1, Math.floor(Number(text)))) });
      return;
    }
    const column = columns[place(keys[0] ?? "")];
    if (!column) return;
    const answer = await take(
      api.POST("/admin/v1/projects/{project}/sql", {
        params: { path: { project } },
        body: { sql: `SELECT count(*) FROM ${quote(table.name)} WHERE ${quote(column.name)} < $1`, params: [valueOf(column, text)] as never[], mode: "read" },
      }),
    );
    change({ filter: undefined, order: `${column.name}.asc`, row: String(Number(answer.rows[0]?.[0] ?? 0) + 1) });
  };

  return (
    <Card
      className={cn("overflow-hidden", over && "ring-2 ring-primary")}
      onDragOver={(event) => {
        if (!writable || !event.dataTransfer.types.includes("Files")) return;
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <div className="flex flex-wrap items-center gap-2 border-b border-border p-2">
        <AddFilter columns={columns} add={(condition) => setConditions([...conditions, condition])} />
        <GoTo keyName={keys.length === 1 ? keys[0] : undefined} go={goTo} />
        {conditions.map((condition) => {
          const [column = "", operator = "", ...rest] = condition.split(".");
          return (
            <Badge key={condition} tone="accent" className="max-w-64">
              <span className="truncate">
                {column} {operators.find(([name]) => name === operator)?.[1].replace(/ \(.*| NULL or not/, "")} {rest.join(".").replaceAll("\\,", ",")}
              </span>
              <button type="button" aria-label={`Remove the filter on ${column}`} onClick={() => setConditions(conditions.filter((one) => one !== condition))}>
                <X className="size-3" aria-hidden />
              </button>
            </Badge>
          );
        })}
        <span className="ml-auto text-xs text-muted tabular-nums">
          {data &&
            (offset > 0
              ? `rows ${count(offset + 1)} to ${count(offset + rows.length)}`
              : `${plural(rows.length, "row")}${hasNextPage ? " so far" : ""}`)}
        </span>
        {chosen.size > 0 && (
          <Button size="sm" variant="danger" onClick={() => setDeleting(true)}>
            <Trash2 aria-hidden /> Delete {chosen.size}
          </Button>
        )}
        {writable && (
          <>
            <Button size="sm" onClick={() => input.current?.click()}>
              <Upload aria-hidden /> Import CSV
            </Button>
            <input
              ref={input}
              type="file"
              accept={transfers ? ".csv,.tsv,.txt,.json,.ndjson,.jsonl" : ".csv,text/csv"}
              aria-label="CSV file"
              className="hidden"
              onChange={(event) => {
                const found = event.target.files?.[0];
                if (found) setFile(found);
                event.target.value = "";
              }}
            />
            <Button size="sm" variant="primary" onClick={() => setForm("new")}>
              <Plus aria-hidden /> New row
            </Button>
          </>
        )}
        <Button
          size="icon-sm"
          variant="ghost"
          aria-label="Download the rows shown"
          title="Download the rows shown"
          onClick={() => download(`${table.name}.csv`, csv(columns.map((column) => column.name), rows), "text/csv")}
        >
          <Download aria-hidden />
        </Button>
      </div>
      {error && !data ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading rows={8} />
      ) : rows.length === 0 && start > 0 ? (
        <Empty
          icon={Table2}
          title="There are fewer rows"
          action={
            <Button size="sm" onClick={() => change({ row: undefined })}>
              To the first row
            </Button>
          }
        />
      ) : rows.length === 0 ? (
        <Empty icon={Table2} title={conditions.length > 0 ? "No row is like that" : "No rows yet"}>
          {conditions.length === 0 && writable && "Add one, or drop a CSV file here."}
        </Empty>
      ) : (
        <>
          <Grid
            label={table.name}
            className="h-[min(36rem,62vh)]"
            columns={columns.map((column) => ({
              name: column.name,
              note: column.data_type.toLowerCase(),
              key: keys.includes(column.name),
              refers: foreign(column.name) !== undefined,
              editable: writable && !column.generated,
            }))}
            rows={rows}
            offset={offset}
            target={target}
            asked={asked}
            onStart={start > 0 || offset > 0 || target !== undefined ? onStart : undefined}
            sort={sort}
            onSort={(column) => change({ row: undefined, order: sort?.column === column ? (sort.descending ? undefined : `${column}.desc`) : `${column}.asc` })}
            onEnd={onEnd}
            onSelect={setAt}
            onEdit={writable ? edit : undefined}
            lead={
              writable
                ? (row) => (
                    <Checkbox
                      aria-label={`Choose row ${row + 1}`}
                      checked={chosen.has(JSON.stringify(keyOf(rows[row - offset])))}
                      onCheckedChange={(on) => {
                        const next = new Map(chosen);
                        const found = keyOf(rows[row - offset]);
                        if (on) next.set(JSON.stringify(found), found);
                        else next.delete(JSON.stringify(found));
                        setChosen(next);
                      }}
                    />
                  )
                : undefined
            }
            follow={({ row, column }) => {
              const target = foreign(columns[column]?.name ?? "");
              if (!target) return null;
              return (
                <Link
                  to="/projects/$project/tables/$table"
                  params={{ project, table: target.table }}
                  search={{ filter: `${target.references[0]}.eq.${shown(rows[row - offset]?.[column]).replaceAll(",", "\\,")}` }}
                  aria-label={`To the row of ${target.table}`}
                  title={`To the row of ${target.table}`}
                >
                  <ArrowUpRight className="size-3.5" aria-hidden />
                </Link>
              );
            }}
          />
          {at && (
            <div className="flex items-start gap-2 border-t border-border px-3 py-2">
              <Badge className="mt-0.5 max-w-40 shrink-0 font-mono">
                <span className="truncate">{columns[at.column]?.name}</span>
              </Badge>
              <pre className="max-h-28 min-w-0 flex-1 overflow-auto font-mono text-xs break-all whitespace-pre-wrap">
                {typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : shown(value)}
              </pre>
              <CopyButton text={value === null ? "" : shown(value)} label="Copy the value" />
              {writable && (
                <Button size="sm" variant="ghost" onClick={() => setForm(rows[at.row - offset])}>
                  <Pencil aria-hidden /> Row
                </Button>
              )}
            </div>
          )}
        </>
      )}
      {table.kind === "table" && keys.length === 0 && (
        <p className="border-t border-border px-3 py-2 text-xs text-muted">The table has no primary key, so its rows can only be read here.</p>
      )}
      {form !== undefined && (
        <RowForm
          table={{ ...table, columns }}
          title={form === "new" ? `New row in ${table.name}` : `A row of ${table.name}`}
          {...(form === "new" ? {} : { values: Object.fromEntries(columns.map((column, step) => [column.name, form[step]])) })}
          close={() => setForm(undefined)}
          save={async (values) => {
            if (form !== "new") {
              await update(form, values);
              toast.success("Saved");
              return;
            }
            const names = Object.keys(values);
            await write(
              names.length === 0
                ? `INSERT INTO ${quote(table.name)} DEFAULT VALUES`
                : `INSERT INTO ${quote(table.name)} (${names.map(quote).join(", ")}) VALUES (${names.map((_, step) => `$${step + 1}`).join(", ")})`,
              names.map((name) => values[name]),
            );
            toast.success("The row is there");
            await refresh();
          }}
        />
      )}
      {deleting && (
        <Confirm
          open
          onOpenChange={(open) => !open && setDeleting(false)}
          title={`Delete ${plural(chosen.size, "row")}?`}
          action={`Delete ${plural(chosen.size, "row")}`}
          run={async () => {
            const list = [...chosen.values()];
            const params = list.flat();
            const each = list.map((_, step) => `(${where(step * keys.length + 1)})`);
            const answer = await write(`DELETE FROM ${quote(table.name)} WHERE ${each.join(" OR ")}`, params);
            toast.success(`${plural(answer.row_count, "row")} deleted`);
            setChosen(new Map());
            setAt(undefined);
            await refresh();
          }}
        >
          <p>From {table.name}, for good.</p>
        </Confirm>
      )}
      {file &&
        (transfers ? (
          <TransferImport project={project} file={file} table={table.name} files={false} close={() => setFile(undefined)} />
        ) : (
          <CsvImport project={project} table={table} file={file} close={() => setFile(undefined)} />
        ))}
    </Card>
  );
}

function One({ project, name }: { project: string; name: string }) {
  const [words, change] = useWords<"tab">();
  const { data: table, error, refetch } = useQuery(tableQuery(project, name));
  const { data: tables } = useQuery(tablesQuery(project));
  const [dropping, setDropping] = useState(false);
  const [renaming, setRenaming] = useState(false);
  const navigate = useNavigate();
  if (error && !table) {
    return (
      <Card>
        <Failure error={error} retry={() => void refetch()} />
      </Card>
    );
  }
  if (!table) {
    return (
      <Card>
        <Loading rows={8} />
      </Card>
    );
  }
  return (
    <>
      <Tabs value={words.tab ?? "rows"} onValueChange={(tab) => change({ tab })}>
        <div className="flex items-center gap-2">
          <TabsList aria-label={name} className="min-w-0 flex-1">
            <Tab value="rows">Rows</Tab>
            <Tab value="structure">Structure</Tab>
            {table.kind === "table" && (
              <Tab value="policies">
                Policies <Badge tone={table.policies.length === 0 ? "plain" : "accent"}>{table.policies.length}</Badge>
              </Tab>
            )}
          </TabsList>
          {table.kind === "table" && (
            <Menu>
              <MenuTrigger asChild>
                <Button variant="ghost" size="icon" aria-label={`Actions for ${name}`}>
                  <Ellipsis aria-hidden />
                </Button>
              </MenuTrigger>
              <MenuContent>
                <MenuItem onSelect={() => setRenaming(true)}>
                  <Pencil aria-hidden /> Rename
                </MenuItem>
                <MenuSeparator />
                <MenuItem danger onSelect={() => setDropping(true)}>
                  <Trash2 aria-hidden /> Drop…
                </MenuItem>
              </MenuContent>
            </Menu>
          )}
        </div>
        <TabPanel value="rows">
          <Rows key={name} project={project} table={table} />
        </TabPanel>
        <TabPanel value="structure">
          <Structure project={project} table={table} tables={tables?.items ?? []} />
        </TabPanel>
        <TabPanel value="policies">
          <Policies project={project} table={table} />
        </TabPanel>
      </Tabs>
      {renaming && (
        <Rename
          what={`the table ${name}`}
          name={name}
          close={() => setRenaming(false)}
          run={async (to) => {
            await alter(project, name, { op: "rename", to });
            await navigate({ to: "/projects/$project/tables/$table", params: { project, table: to } });
          }}
        />
      )}
      {dropping && (
        <Confirm
          open
          onOpenChange={(open) => !open && setDropping(false)}
          title={`Drop the table ${name}?`}
          action="Drop the table"
          typed={name}
          run={async () => {
            await take(
              api.DELETE("/admin/v1/projects/{project}/tables/{table}", { params: { path: { project, table: name }, query: { confirm: name } } }),
            );
            toast.success(`${name} is gone`);
            await navigate({ to: "/projects/$project/tables", params: { project } });
            await queryClient.invalidateQueries({ queryKey: tablesQuery(project).queryKey });
          }}
        >
          <p>
            With its {count(table.row_estimate)} rows, its policies and its indexes. This cannot be undone.
          </p>
        </Confirm>
      )}
    </>
  );
}

export function Tables() {
  const project = useProject();
  const name = useParams({ strict: false, select: (params: { table?: string }) => params.table });
  const { data, error, refetch } = useQuery(tablesQuery(project));
  const [creating, setCreating] = useState(false);
  const [text, setText] = useState("");
  const navigate = useNavigate();
  const shownTables = (data?.items ?? []).filter((table) => table.name.toLowerCase().includes(text.trim().toLowerCase()));
  const create = (
    <Button variant="primary" onClick={() => setCreating(true)}>
      <Plus aria-hidden /> New table
    </Button>
  );
  return (
    <>
      <PageHeader
        title={name ?? "Tables"}
        description={name ? undefined : "The project's own tables. Apps reach them over HTTP, as far as policies and keys allow."}
        actions={create}
      />
      <div className="grid gap-4 lg:grid-cols-[13rem_minmax(0,1fr)]">
        <Card className={cn("self-start", name && "max-lg:hidden")}>
          <div className="border-b border-border p-2">
            <Input type="search" aria-label="Search tables" placeholder="Search" className="h-8" value={text} onChange={(event) => setText(event.target.value)} />
          </div>
          {error && !data ? (
            <Failure error={error} retry={() => void refetch()} />
          ) : !data ? (
            <Loading />
          ) : (
            <ul className="max-h-[60vh] overflow-y-auto p-1.5">
              {shownTables.map((table) => (
                <li key={table.name}>
                  <Link
                    to="/projects/$project/tables/$table"
                    params={{ project, table: table.name }}
                    title={table.name}
                    className="flex items-center gap-2 rounded-md px-2 py-1.5 text-[0.8125rem] hover:bg-raised data-[status=active]:bg-accent data-[status=active]:font-medium data-[status=active]:text-accent-foreground"
                  >
                    <Table2 className="size-4 shrink-0 text-muted" aria-hidden />
                    <span className="truncate">{table.name}</span>
                    {table.kind === "view" && <Badge className="ml-auto">view</Badge>}
                  </Link>
                </li>
              ))}
              {shownTables.length === 0 && <li className="px-2 py-3 text-center text-xs text-muted">{text ? "None has such a name." : "None yet."}</li>}
            </ul>
          )}
        </Card>
        {name ? (
          <div className="min-w-0">
            <Button asChild size="sm" variant="ghost" className="mb-2 lg:hidden">
              <Link to="/projects/$project/tables" params={{ project }}>
                All tables
              </Link>
            </Button>
            <One key={name} project={project} name={name} />
          </div>
        ) : (
          <Card>
            {data?.items.length === 0 ? (
              <Empty icon={Columns3} title="No tables yet" action={create}>
                A table holds what your app remembers. Make one here, or with SQL.
              </Empty>
            ) : (
              <Empty icon={Table2} title="Choose a table">
                Its rows are edited in place; its columns and policies stand beside them.
              </Empty>
            )}
          </Card>
        )}
      </div>
      {creating && (
        <CreateTable
          project={project}
          tables={data?.items ?? []}
          close={() => setCreating(false)}
          done={(made) => void navigate({ to: "/projects/$project/tables/$table", params: { project, table: made } })}
        />
      )}
    </>
  );
}
