import { queryOptions, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { Bookmark, Braces, ChevronRight, Download, History, Play, Plus, Route, Square, Table2, Trash2, X } from "lucide-react";
import { Suspense, lazy, useCallback, useEffect, useRef, useState } from "react";
import { toast } from "sonner";
import { type Schemas, api, reason, take } from "@/api/client";
import { queryClient, tablesQuery } from "@/api/queries";
import { Confirm } from "@/components/confirm";
import { Grid, type Place, shown } from "@/components/grid";
import type { Sql as Text } from "@/components/monaco";
import { PageHeader } from "@/components/page";
import { Empty, Failure, Loading, Note, Refusal } from "@/components/states";
import { CopyButton, When } from "@/components/text";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { DialogContent, DialogRoot } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { Menu, MenuContent, MenuItem, MenuTrigger } from "@/components/ui/menu";
import { Switch } from "@/components/ui/switch";
import { Tab, TabPanel, Tabs, TabsList } from "@/components/ui/tabs";
import { cn } from "@/lib/cn";
import { csv, download } from "@/lib/download";
import { milliseconds, plural } from "@/lib/format";
import { useWords } from "@/lib/pages";
import { quote, statementAt } from "@/lib/sql";
import { useRemembered } from "@/lib/storage";
import { useProject } from "@/lib/use-project";

const Editor = lazy(() => import("@/components/monaco"));

interface Sheet {
  id: string;
  name: string;
  sql: string;
  write: boolean;
}

interface Outcome {
  view?: Schemas["SqlView"];
  error?: unknown;
  sql: string;
  stopped?: boolean;
}

const fresh = (number: number): Sheet => ({ id: crypto.randomUUID(), name: `Query ${number}`, sql: "", write: false });

function Results({ outcome }: { outcome: Outcome }) {
  const [at, setAt] = useState<Place>();
  const { view, error } = outcome;
  useEffect(() => setAt(undefined), [outcome]);
  if (error) {
    return (
      <div className="p-4">
        <Refusal error={error} />
      </div>
    );
  }
  if (!view) return null;
  const value = at ? view.rows[at.row]?.[at.column] : undefined;
  const save = (kind: "csv" | "json") => {
    if (kind === "csv") download("result.csv", csv(view.columns, view.rows as unknown[][]), "text/csv");
    else {
      const objects = view.rows.map((row) => Object.fromEntries(view.columns.map((name, place) => [name, row[place]])));
      download("result.json", JSON.stringify(objects, null, 2), "application/json");
    }
  };
  return (
    <>
      <div className="flex flex-wrap items-center gap-2 border-b border-border px-3 py-2 text-xs text-muted" role="status">
        <span>
          {view.columns.length > 0 ? plural(view.row_count, "row") : `Done, ${plural(view.row_count, "row")} changed`} in{" "}
          {milliseconds(view.duration_ms)}
        </span>
        {view.truncated && <Badge tone="warn">there are more rows than were taken</Badge>}
        {view.migration && <Badge tone="accent">noted as migration {view.migration}</Badge>}
        {view.columns.length > 0 && (
          <Menu>
            <MenuTrigger asChild>
              <Button size="sm" variant="ghost" className="ml-auto">
                <Download aria-hidden /> Export
              </Button>
            </MenuTrigger>
            <MenuContent>
              <MenuItem onSelect={() => save("csv")}>As CSV</MenuItem>
              <MenuItem onSelect={() => save("json")}>As JSON</MenuItem>
            </MenuContent>
          </Menu>
        )}
      </div>
      {view.columns.length === 0 ? (
        <p className="p-6 text-center text-[0.8125rem] text-muted">The statement returned no columns.</p>
      ) : (
        <>
          <Grid
            label="Result"
            className="max-h-80"
            height={view.rows.length * 33 + 36}
            columns={view.columns.map((name, place) => ({ name: view.columns.indexOf(name) === place ? name : `${name} (${place + 1})` }))}
            rows={view.rows as unknown[][]}
            onSelect={setAt}
          />
          {at && (
            <div className="flex items-start gap-2 border-t border-border px-3 py-2">
              <Badge className="mt-0.5 shrink-0 font-mono">{view.columns[at.column]}</Badge>
              <pre className="max-h-28 min-w-0 flex-1 overflow-auto font-mono text-xs break-all whitespace-pre-wrap">
                {typeof value === "object" && value !== null ? JSON.stringify(value, null, 2) : shown(value)}
              </pre>
              <CopyButton text={value === null ? "" : shown(value)} label="Copy the value" />
            </div>
          )}
        </>
      )}
    </>
  );
}

function Browse({ project, insert }: { project: string; insert: (sql: string) => void }) {
  const { data, error, refetch } = useQuery(tablesQuery(project));
  const [open, setOpen] = useState<string>();
  if (error && !data) return <Failure error={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  if (data.items.length === 0) {
    return (
      <Empty icon={Table2} title="No tables yet" className="py-8">
        <code>CREATE TABLE</code> makes one; switch to writing first.
      </Empty>
    );
  }
  return (
    <ul className="p-1.5">
      {data.items.map((table) => (
        <li key={table.name}>
          <div className="flex items-center">
            <button
              type="button"
              aria-expanded={open === table.name}
              className="flex min-w-0 flex-1 items-center gap-1.5 rounded-md px-1.5 py-1 text-left text-[0.8125rem] hover:bg-raised"
              onClick={() => setOpen(open === table.name ? undefined : table.name)}
            >
              <ChevronRight className={cn("size-3.5 shrink-0 text-muted transition-transform", open === table.name && "rotate-90")} aria-hidden />
              <span className="truncate">{table.name}</span>
              {table.kind === "view" && <Badge>view</Badge>}
            </button>
            <Button
              size="icon-sm"
              variant="ghost"
              aria-label={`Select from ${table.name}`}
              onClick={() => insert(`SELECT *\nFROM ${quote(table.name)}\nLIMIT 100`)}
            >
              <Play aria-hidden />
            </Button>
          </div>
          {open === table.name && (
            <ul className="mb-1 ml-6 border-l border-border pl-2">
              {table.columns.map((column) => (
                <li key={column.name} className="flex justify-between gap-2 py-0.5 font-mono text-xs">
                  <span className="truncate">{column.name}</span>
                  <span className="shrink-0 text-muted">{column.data_type}</span>
                </li>
              ))}
            </ul>
          )}
        </li>
      ))}
    </ul>
  );
}

const savedQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "saved"],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/sql/saved", { params: { path: { project } }, signal })),
  });

function Saved({ project, open }: { project: string; open: (name: string, sql: string) => void }) {
  const { data, error, refetch } = useQuery(savedQuery(project));
  const [removing, setRemoving] = useState<Schemas["SavedQueryView"]>();
  if (error && !data) return <Failure error={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  if (data.items.length === 0) {
    return (
      <Empty icon={Bookmark} title="Nothing is saved" className="py-8">
        Saved statements are for all admins of the project.
      </Empty>
    );
  }
  return (
    <ul className="p-1.5">
      {data.items.map((one) => (
        <li key={one.id} className="flex items-center">
          <button
            type="button"
            className="min-w-0 flex-1 rounded-md px-2 py-1.5 text-left hover:bg-raised"
            onClick={() => open(one.name, one.sql)}
          >
            <span className="block truncate text-[0.8125rem]">{one.name}</span>
            <span className="block truncate font-mono text-[0.6875rem] text-muted">{one.sql}</span>
          </button>
          <CopyButton text={new URL(`?saved=${one.id}`, location.href.replace(/[?#].*/, "")).href} label={`Copy a link to ${one.name}`} />
          <Button size="icon-sm" variant="ghost" aria-label={`Delete ${one.name}`} onClick={() => setRemoving(one)}>
            <Trash2 aria-hidden />
          </Button>
        </li>
      ))}
      {removing && (
        <Confirm
          open
          onOpenChange={(next) => !next && setRemoving(undefined)}
          title={`Delete ${removing.name}?`}
          action="Delete it"
          run={async () => {
            await take(
              api.DELETE("/admin/v1/projects/{project}/sql/saved/{id}", { params: { path: { project, id: removing.id } } }),
            );
            await queryClient.invalidateQueries({ queryKey: savedQuery(project).queryKey });
          }}
        >
          <p>It is gone for all admins.</p>
        </Confirm>
      )}
    </ul>
  );
}

const historyKey = (project: string) => ["project", project, "sql-history"];

function Past({ project, open }: { project: string; open: (sql: string) => void }) {
  const { data, error, refetch, fetchNextPage, hasNextPage } = useInfiniteQuery({
    queryKey: historyKey(project),
    queryFn: ({ pageParam, signal }) =>
      take(
        api.GET("/admin/v1/projects/{project}/sql/history", {
          params: { path: { project }, query: { limit: 30, ...(pageParam ? { cursor: pageParam } : {}) } },
          signal,
        }),
      ),
    initialPageParam: "",
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  if (error && !data) return <Failure error={error} retry={() => void refetch()} />;
  if (!data) return <Loading />;
  const items = data.pages.flatMap((page) => page.items);
  if (items.length === 0) return <Empty icon={History} title="Nothing was run yet" className="py-8" />;
  return (
    <>
      <ul className="p-1.5">
        {items.map((run) => (
          <li key={run.id}>
            <button type="button" className="w-full rounded-md px-2 py-1.5 text-left hover:bg-raised" onClick={() => open(run.sql)}>
              <span className="block truncate font-mono text-xs">{run.sql}</span>
              <span className="flex items-center gap-1.5 text-[0.6875rem] text-muted">
                <Badge tone={run.outcome === "ok" ? "good" : "bad"} className="px-1.5 py-0 text-[0.625rem]">
                  {run.outcome}
                </Badge>
                {run.mode}, {milliseconds(run.duration_ms)}, <When at={run.at} />
              </span>
            </button>
          </li>
        ))}
      </ul>
      {hasNextPage && (
        <div className="p-2">
          <Button size="sm" className="w-full" onClick={() => void fetchNextPage()}>
            Earlier ones
          </Button>
        </div>
      )}
    </>
  );
}

function Save({ project, sql, name: given, done, close }: { project: string; sql: string; name: string; done: (name: string) => void; close: () => void }) {
  const [name, setName] = useState(given);
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  const { data: saved } = useQuery(savedQuery(project));
  const old = saved?.items.find((one) => one.name === name.trim());
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent title="Save the statement" description="For all admins of the project.">
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              const body = { name: name.trim(), sql };
              if (old) await take(api.PUT("/admin/v1/projects/{project}/sql/saved/{id}", { params: { path: { project, id: old.id } }, body }));
              else await take(api.POST("/admin/v1/projects/{project}/sql/saved", { params: { path: { project } }, body }));
              await queryClient.invalidateQueries({ queryKey: savedQuery(project).queryKey });
              toast.success("Saved");
              done(body.name);
              close();
            } catch (failure) {
              setError(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          <Field label="Name">
            <Input required value={name} onChange={(event) => setName(event.target.value)} />
          </Field>
          {old && old.sql !== sql && (
            <div className="grid gap-1.5">
              <p className="text-[0.8125rem] text-muted">There is one of this name. It is overwritten for all admins:</p>
              <pre className="max-h-32 overflow-auto rounded-md border border-border bg-background p-2 font-mono text-xs break-words whitespace-pre-wrap">{old.sql}</pre>
            </div>
          )}
          <Refusal error={error} />
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" variant={old ? "danger" : "primary"} pending={pending}>
              {old ? "Overwrite" : "Save"}
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}

function Bench({ project }: { project: string }) {
  const { data: tables } = useQuery(tablesQuery(project));
  const [sheets, setSheets] = useRemembered<Sheet[]>(`sql.${project}`, [fresh(1)]);
  const [current, setCurrent] = useRemembered<string>(`sql.${project}.current`, sheets[0]?.id ?? "");
  const [outcomes, setOutcomes] = useState<Record<string, Outcome>>({});
  const [running, setRunning] = useState<{ sheet: string; id: string }>();
  const [most, setMost] = useState("1000");
  const [saving, setSaving] = useState<string>();
  const [pushed, setPushed] = useState(0);
  const read = useRef<(() => Text) | undefined>(undefined);
  const sheet = sheets.find((one) => one.id === current) ?? sheets[0] ?? fresh(1);
  const change = (part: Partial<Sheet>) =>
    setSheets((old) => old.map((one) => (one.id === sheet.id ? { ...one, ...part } : one)));
  const add = (part: Partial<Sheet> = {}) => {
    const next = { ...fresh(sheets.length + 1), ...part };
    setSheets([...sheets, next]);
    setCurrent(next.id);
  };
  const close = (id: string) => {
    const gone = sheets.find((one) => one.id === id);
    const rest = sheets.filter((one) => one.id !== id);
    const kept = rest.length > 0 ? rest : [fresh(1)];
    setSheets(kept);
    if (id === current) setCurrent(kept[0]?.id ?? "");
    if (!gone?.sql.trim()) return;
    toast("The sheet is closed", {
      action: {
        label: "Undo",
        onClick: () => {
          setSheets((now) => [...now, gone]);
          setCurrent(gone.id);
        },
      },
    });
  };
  /** In the sheet that is open when it is empty, in a new one otherwise. */
  const put = (sql: string, name?: string) => {
    if (sheet.sql.trim() === "") {
      change({ sql, ...(name ? { name } : {}) });
      setPushed((count) => count + 1);
    } else add({ sql, ...(name ? { name } : {}) });
  };
  // A link to a saved statement opens it, in the sheet that has it already.
  const [{ saved: wanted }, changeWords] = useWords<"saved">();
  const saved = useQuery({ ...savedQuery(project), enabled: wanted !== undefined });
  useEffect(() => {
    if (wanted === undefined || !saved.data) return;
    const found = saved.data.items.find((one) => one.id === wanted);
    const there = found && sheets.find((one) => one.name === found.name && one.sql === found.sql);
    if (there) setCurrent(there.id);
    else if (found) put(found.sql, found.name);
    else toast.error("The statement that the link is to is not saved any more");
    changeWords({ saved: undefined }, { replace: true });
    // oxlint-disable-next-line react/exhaustive-deps
  }, [wanted, saved.data]);
  const chosen = (text: Text | undefined) => {
    if (!text) return sheet.sql.trim();
    return text.selection.trim() || statementAt(text.text, text.offset);
  };
  const run = async (text: Text | undefined, explain = false) => {
    const sql = chosen(text);
    if (!sql || running) return;
    const id = crypto.randomUUID();
    setRunning({ sheet: sheet.id, id });
    try {
      const view = await take(
        api.POST("/admin/v1/projects/{project}/sql", {
          params: { path: { project } },
          body: { id, sql, mode: sheet.write ? "write" : "read", max_rows: Number(most), timeout_ms: 60_000, explain },
        }),
      );
      setOutcomes((old) => ({ ...old, [sheet.id]: { view, sql } }));
      if (view.migration || (sheet.write && !explain)) await queryClient.invalidateQueries({ queryKey: ["project", project, "tables"] });
    } catch (error) {
      setOutcomes((old) => ({ ...old, [sheet.id]: { error: new Error(reason(error)), sql } }));
    } finally {
      setRunning(undefined);
      void queryClient.invalidateQueries({ queryKey: historyKey(project) });
    }
  };
  const handle = useCallback((get: () => Text) => {
    read.current = get;
  }, []);
  const outcome = outcomes[sheet.id];
  return (
    <div className="grid gap-4 lg:grid-cols-[minmax(0,1fr)_17rem]">
      <div className="grid min-w-0 content-start gap-4">
        <Card className="overflow-hidden">
          <div className="flex items-center gap-1 overflow-x-auto border-b border-border px-2 pt-1.5">
            {sheets.map((one) => (
              <div
                key={one.id}
                className={cn(
                  "flex shrink-0 items-center rounded-t-md border border-b-0 border-transparent pl-3 text-[0.8125rem]",
                  one.id === sheet.id ? "border-border bg-background font-medium" : "text-muted",
                )}
              >
                <button
                  type="button"
                  aria-current={one.id === sheet.id}
                  className="max-w-40 truncate py-1.5"
                  onClick={() => setCurrent(one.id)}
                  onDoubleClick={() => {
                    const name = prompt("Name of the sheet", one.name);
                    if (name) setSheets(sheets.map((other) => (other.id === one.id ? { ...other, name } : other)));
                  }}
                >
                  {one.name}
                </button>
                <button type="button" aria-label={`Close ${one.name}`} className="mx-1 rounded p-1 text-muted hover:bg-raised" onClick={() => close(one.id)}>
                  <X className="size-3" aria-hidden />
                </button>
              </div>
            ))}
            <Button variant="ghost" size="icon-sm" aria-label="New sheet" onClick={() => add()}>
              <Plus aria-hidden />
            </Button>
          </div>
          <div className="h-56 sm:h-72">
            <Suspense fallback={<Loading rows={6} />}>
              <Editor
                id={`${project}/${sheet.id}`}
                text={sheet.sql}
                pushed={pushed}
                tables={tables?.items ?? []}
                change={(sql) => change({ sql })}
                run={(text) => void run(text)}
                handle={handle}
              />
            </Suspense>
          </div>
          <div className="flex flex-wrap items-center gap-2 border-t border-border p-2">
            {running ? (
              <Button
                variant="danger"
                size="sm"
                onClick={() =>
                  void take(api.POST("/admin/v1/projects/{project}/sql/{id}/cancel", { params: { path: { project, id: running.id } } }))
                    .then(() => toast("The statement is being stopped"))
                    .catch((error: unknown) => toast.error(reason(error)))
                }
              >
                <Square aria-hidden /> Cancel
              </Button>
            ) : (
              <Button variant="primary" size="sm" title="Runs what is marked, else the statement at the cursor (Ctrl Enter)" onClick={() => void run(read.current?.())}>
                <Play aria-hidden /> Run
              </Button>
            )}
            <Button size="sm" disabled={running !== undefined} onClick={() => void run(read.current?.(), true)}>
              <Route aria-hidden /> Explain
            </Button>
            <Button size="sm" onClick={() => setSaving(chosen(read.current?.()))}>
              <Bookmark aria-hidden /> Save
            </Button>
            <span className="ml-auto flex items-center gap-2 text-[0.8125rem]">
              <Select aria-label="Most rows" className="h-8 w-32 text-xs" value={most} onChange={(event) => setMost(event.target.value)}>
                <option value="100">100 rows</option>
                <option value="1000">1,000 rows</option>
                <option value="10000">10,000 rows</option>
              </Select>
              <Switch aria-label="Statements may write" checked={sheet.write} onCheckedChange={(write) => change({ write })} />
              <span className={sheet.write ? "font-medium text-warn" : "text-muted"}>{sheet.write ? "may write" : "reads only"}</span>
            </span>
          </div>
        </Card>
        <Card className="overflow-hidden">
          {running?.sheet === sheet.id ? (
            <Loading />
          ) : outcome ? (
            <Results outcome={outcome} />
          ) : (
            <Empty icon={Braces} title="Results appear here" className="py-10">
              Ctrl Enter runs what is marked, else the statement at the cursor. Nothing is changed while the switch says that it reads only.
            </Empty>
          )}
        </Card>
        {sheet.write && (
          <Note tone="warn">
            This sheet may write. There is no way back from a statement that has changed rows; a change of tables is noted as a migration.
          </Note>
        )}
      </div>
      <Card className="self-start">
        <Tabs defaultValue="tables">
          <TabsList aria-label="Beside the editor" className="mx-0 px-2 sm:px-2">
            <Tab value="tables" className="px-2">
              Tables
            </Tab>
            <Tab value="saved" className="px-2">
              Saved
            </Tab>
            <Tab value="history" className="px-2">
              History
            </Tab>
          </TabsList>
          {(["tables", "saved", "history"] as const).map((part) => (
            <TabPanel key={part} value={part} className="max-h-[36rem] overflow-y-auto pt-0">
              {part === "tables" && <Browse project={project} insert={(sql) => put(sql)} />}
              {part === "saved" && <Saved project={project} open={(name, sql) => put(sql, name)} />}
              {part === "history" && <Past project={project} open={(sql) => put(sql)} />}
            </TabPanel>
          ))}
        </Tabs>
      </Card>
      {saving !== undefined && (
        <Save project={project} sql={saving} name={sheet.name.startsWith("Query ") ? "" : sheet.name} done={(name) => change({ name })} close={() => setSaving(undefined)} />
      )}
    </div>
  );
}

export function Sql() {
  const project = useProject();
  return (
    <>
      <PageHeader title="SQL" description="One statement at a time, in this project's database only, under a time limit." />
      <Bench key={project} project={project} />
    </>
  );
}
