import { useQuery } from "@tanstack/react-query";
import { CircleCheck, CircleX } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { ApiError } from "@/api/client";
import { queryClient, tableQuery, tablesQuery } from "@/api/queries";
import { bytes, plural } from "@/lib/format";
import { send } from "@/lib/send";
import { useAction } from "@/lib/use-action";
import { ColumnMapping } from "./column-mapping";
import { Progress } from "./progress";
import { Loading, Note, Refusal } from "./states";
import { JobErrors, JobProgress, JobUsers } from "./transfer-job";
import { type NewColumn, NewTable, faultOf, proposed, tableName, wishesOf } from "./transfer-new-table";
import { type Job, beginFolder, beginImport, cancelJob, goesOn, jobQuery, preview, refreshJobs } from "./transfer-queries";
import { Button } from "./ui/button";
import { Checkbox } from "./ui/checkbox";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Field } from "./ui/field";
import { Input, Select } from "./ui/input";

/** In place of a table's name: one that is made. No table is called so. */
const fresh = "\0new";

const formatOf = (name: string): string => {
  const end = name.toLowerCase().split(".").at(-1) ?? "";
  if (end === "zip" || end === "json") return end;
  return end === "ndjson" || end === "jsonl" ? "ndjson" : "csv";
};

/** A job that was begun here: how far it is, and, of one that only looked, the way on. */
function Outcome({ project, id, dry, again, whole, close }: { project: string; id: string; dry: boolean; again: () => void; whole: (() => void) | undefined; close: () => void }) {
  const { data: job, error } = useQuery(jobQuery(project, id));
  const { pending, run } = useAction();
  const status = job?.status;
  useEffect(() => {
    if (!status || status === "queued" || status === "running") return;
    void refreshJobs(project);
    if (!dry) void queryClient.invalidateQueries({ queryKey: ["project", project, "tables"] });
  }, [status, project, dry]);
  if (error && !job) return <Refusal error={error} />;
  if (!job) return <Loading rows={3} />;
  const failed = Math.max(job.report?.rows_failed ?? 0, job.report?.errors?.length ?? 0);
  const files = job.report?.files;
  const done = job.status === "done";
  return (
    <div className="grid gap-4">
      {goesOn(job) ? (
        <p className="text-sm font-medium">{dry ? "Looking at every row…" : "Importing…"}</p>
      ) : (
        <p className="flex items-center gap-2 text-sm font-medium">
          {done && failed === 0 ? <CircleCheck className="size-5 text-good" aria-hidden /> : <CircleX className={`size-5 ${done ? "text-warn" : "text-bad"}`} aria-hidden />}
          {job.status === "cancelled"
            ? "It was cancelled"
            : !done
              ? dry
                ? "It would not go in"
                : "It failed"
              : files
                ? `${plural(files.length, "file")} ${dry ? "would be stored" : "stored"}`
                : dry
                  ? failed === 0
                    ? "Every row would go in"
                    : "Not every row would go in"
                  : `Imported${failed > 0 ? ", but not every row" : ""}`}
        </p>
      )}
      <JobProgress job={job} dry={dry} />
      {job.error && <Refusal error={new Error(job.error.detail)} />}
      <JobErrors job={job} dry={dry} />
      <JobUsers job={job} />
      <div className="flex flex-wrap justify-end gap-2">
        {goesOn(job) ? (
          <Button variant="danger" pending={pending} onClick={() => void run(() => cancelJob(project, id))}>
            Cancel
          </Button>
        ) : (
          <>
            {(dry || !done) && <Button onClick={again}>Back</Button>}
            {dry && done && whole ? (
              <Button variant="primary" onClick={whole}>
                {failed > 0 ? "Import what fits" : "Import now"}
              </Button>
            ) : (
              <Button variant="primary" onClick={close}>
                Close
              </Button>
            )}
          </>
        )}
      </div>
    </div>
  );
}

interface Begun {
  id: string;
  dry: boolean;
}

/** A source of rows into a table: how it is read, which column goes where, and what becomes of rows that are there. */
function IntoTable({ project, source, name, table: given, begin }: { project: string; source: string; name: string; table: string | undefined; begin: (wishes: Record<string, unknown>, dry: boolean) => Promise<boolean> }) {
  const format = formatOf(name);
  const tables = useQuery(tablesQuery(project));
  const [table, setTable] = useState(given ?? "");
  const [encoding, setEncoding] = useState("");
  const [delimiter, setDelimiter] = useState("");
  const [mode, setMode] = useState<"insert" | "upsert">("insert");
  const [key, setKey] = useState<string[]>();
  const [onError, setOnError] = useState<"stop" | "skip" | "transaction">("stop");
  const [mapping, setMapping] = useState<string[]>();
  const [newName, setNewName] = useState(tableName(name));
  const [newColumns, setNewColumns] = useState<NewColumn[]>();
  const [pending, setPending] = useState<"dry" | "whole">();
  const makes = table === fresh;
  const about = useQuery({ ...tableQuery(project, table), enabled: table !== "" && !makes });
  const reading = { ...(encoding ? { encoding } : {}), ...(delimiter ? { delimiter } : {}) };
  const wishes = { source, format, ...(makes ? { create: true } : table ? { table } : {}), ...reading };
  const looked = useQuery({
    queryKey: ["project", project, "transfer-preview", wishes],
    queryFn: ({ signal }) => preview(project, wishes, signal),
    retry: false,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const columns = (about.data?.columns ?? []).filter((column) => !column.generated);
  const shown = looked.data;
  const chosen = mapping?.length === shown?.columns.length && mapping ? mapping : (shown?.columns.map(({ name: from }) => shown.mapping?.[from] ?? "") ?? []);
  const used = chosen.filter(Boolean);
  const twice = used.find((column, place) => used.indexOf(column) !== place);
  const keys = key ?? about.data?.primary_key ?? [];
  const made = shown && makes ? (newColumns?.length === shown.columns.length ? newColumns : proposed(shown)) : undefined;
  const fault = made && (newName.trim() === "" ? "the table needs a name" : faultOf(made));
  const go = async (dry: boolean) => {
    if (!shown) return;
    setPending(dry ? "dry" : "whole");
    await begin(
      {
        what: "table",
        ...wishes,
        ...(made
          ? { table: newName.trim(), ...wishesOf(shown, made) }
          : { mapping: Object.fromEntries(shown.columns.map(({ name: from }, place) => [from, chosen[place] || null])) }),
        mode,
        ...(mode === "upsert" ? { key: keys } : {}),
        ...(onError === "transaction" ? { in: "transaction" } : { on_error: onError }),
      },
      dry,
    );
    setPending(undefined);
  };
  const unfit = made ? fault !== undefined : used.length === 0 || twice !== undefined || (mode === "upsert" && keys.length === 0);
  const blocked = !table || !shown || unfit || pending !== undefined;
  return (
    <div className="grid gap-4">
      <div className="grid gap-4 sm:grid-cols-3">
        <Field label="Into the table">
          <Select
            value={table}
            onChange={(event) => {
              setTable(event.target.value);
              setMapping(undefined);
              setNewColumns(undefined);
              setKey(undefined);
              if (event.target.value === fresh) setMode("insert");
            }}
          >
            <option value="">choose one</option>
            {!given && <option value={fresh}>a new table</option>}
            {tables.data?.items
              .filter((one) => one.kind === "table")
              .map((one) => (
                <option key={one.name}>{one.name}</option>
              ))}
          </Select>
        </Field>
        <Field label="Encoding">
          <Select value={encoding} onChange={(event) => setEncoding(event.target.value)}>
            <option value="">{shown && !encoding ? `found: ${shown.encoding}` : "find it out"}</option>
            {["utf-8", "utf-16", "utf-16le", "utf-16be", "windows-1252"].map((one) => (
              <option key={one}>{one}</option>
            ))}
          </Select>
        </Field>
        {format === "csv" && (
          <Field label="Between cells">
            <Select value={delimiter} onChange={(event) => setDelimiter(event.target.value)}>
              <option value="">{shown?.delimiter && !delimiter ? `found: ${shown.delimiter === "\t" ? "tab" : shown.delimiter}` : "find it out"}</option>
              <option value=",">comma</option>
              <option value=";">semicolon</option>
              <option value={"\t"}>tab</option>
              <option value="|">bar</option>
            </Select>
          </Field>
        )}
      </div>
      {makes && (
        <Field label="Name of the new table" help="Without a policy only secret keys and admins reach its rows.">
          <Input autoComplete="off" value={newName} onChange={(event) => setNewName(event.target.value)} />
        </Field>
      )}
      {looked.error ? (
        <Refusal error={looked.error} />
      ) : !shown || (table && !makes && !about.data) ? (
        <Loading rows={4} />
      ) : made ? (
        <NewTable preview={shown} columns={made} change={setNewColumns} />
      ) : (
        <ColumnMapping columns={shown.columns} rows={shown.rows.slice(0, 5)} into={columns} mapping={chosen} change={setMapping} />
      )}
      <div className="grid gap-4 sm:grid-cols-2">
        {!makes && (
          <Field label="Rows that are there already">
            <Select value={mode} onChange={(event) => setMode(event.target.value as typeof mode)}>
              <option value="insert">are errors</option>
              <option value="upsert">get the new values</option>
            </Select>
          </Field>
        )}
        <Field label="When a row cannot be taken">
          <Select value={onError} onChange={(event) => setOnError(event.target.value as typeof onError)}>
            <option value="stop">stop there, keep what is in</option>
            <option value="skip">leave it out, go on</option>
            <option value="transaction">{makes ? "take nothing at all, and no table" : "take nothing at all"}</option>
          </Select>
        </Field>
      </div>
      {mode === "upsert" && (
        <fieldset>
          <legend className="mb-1.5 text-[0.8125rem] font-medium">A row is the same when these are</legend>
          <div className="flex flex-wrap gap-x-5 gap-y-2">
            {columns
              .filter((column) => used.includes(column.name))
              .map(({ name: column }) => (
                <label key={column} className="flex cursor-pointer items-center gap-2 text-sm">
                  <Checkbox checked={keys.includes(column)} onCheckedChange={(on) => setKey(on ? [...keys, column] : keys.filter((one) => one !== column))} />
                  {column}
                </label>
              ))}
          </div>
          <p className="mt-1.5 text-xs text-muted">The table needs a primary key or a unique index on them.</p>
        </fieldset>
      )}
      {fault && <Refusal error={new Error(fault)} />}
      {twice && <Refusal error={new Error(`two columns of the file go into ${twice}`)} />}
      <div className="flex flex-wrap justify-end gap-2">
        <Button disabled={blocked} pending={pending === "dry"} onClick={() => void go(true)}>
          Check only
        </Button>
        <Button variant="primary" disabled={blocked} pending={pending === "whole"} onClick={() => void go(false)}>
          Import
        </Button>
      </div>
    </div>
  );
}

/** A part of a table that cannot be made here. */
interface Part {
  object: string;
  why: string;
}

/** An archive: of tables, or of files with their metadata. */
function IntoProject({ files, error, begin, beginFiles }: { files: boolean; error: unknown; begin: (wishes: Record<string, unknown>, dry: boolean) => Promise<boolean>; beginFiles: (dry: boolean) => Promise<boolean> }) {
  const [what, setWhat] = useState<"database" | "files">("database");
  const [mode, setMode] = useState<"insert" | "upsert">("insert");
  const [create, setCreate] = useState(true);
  const [users, setUsers] = useState(false);
  const [leave, setLeave] = useState<string[]>([]);
  const [pending, setPending] = useState<"dry" | "whole">();
  const go = async (dry: boolean) => {
    setPending(dry ? "dry" : "whole");
    await (what === "files" ? beginFiles(dry) : begin({ what: "database", format: "zip", mode, create, users, leave_out: leave }, dry));
    setPending(undefined);
  };
  const parts = error instanceof ApiError && error.code === "cannot_be_made" ? (error.details.parts as Part[]) : [];
  const asked = parts.filter((one) => !leave.includes(one.object));
  return (
    <div className="grid gap-4">
      <Field label="What is in it">
        <Select value={what} onChange={(event) => setWhat(event.target.value as typeof what)}>
          <option value="database">Tables, as exported from a project</option>
          {files && <option value="files">Files, each with its metadata beside it</option>}
        </Select>
      </Field>
      {what === "database" ? (
        <>
          <Field label="Rows that are there already">
            <Select value={mode} onChange={(event) => setMode(event.target.value as typeof mode)}>
              <option value="insert">are errors</option>
              <option value="upsert">get the new values</option>
            </Select>
          </Field>
          <label className="flex cursor-pointer items-center gap-2 text-sm">
            <Checkbox checked={create} onCheckedChange={(on) => setCreate(on === true)} />
            Make the tables that are not there, with their keys, indexes and policies
          </label>
          <label className="flex cursor-pointer items-center gap-2 text-sm">
            <Checkbox checked={users} onCheckedChange={(on) => setUsers(on === true)} />
            Take its users along: who has the same e-mail address here is the same
          </label>
          {(asked.length > 0 || leave.length > 0) && (
            <fieldset className="grid gap-2">
              <legend className="mb-1.5 text-[0.8125rem] font-medium">Left out, as they cannot be made here</legend>
              {[...leave.map((object) => ({ object, why: "" })), ...asked].map((one) => (
                <label key={one.object} className="flex cursor-pointer items-start gap-2 text-sm">
                  <Checkbox checked={leave.includes(one.object)} onCheckedChange={(on) => setLeave(on ? [...leave, one.object] : leave.filter((own) => own !== one.object))} />
                  <span>
                    <code>{one.object}</code> {one.why && <span className="text-muted">{one.why}</span>}
                  </span>
                </label>
              ))}
              {asked.length > 1 && (
                <Button size="sm" className="justify-self-start" onClick={() => setLeave([...leave, ...asked.map((one) => one.object)])}>
                  Leave all of them out
                </Button>
              )}
            </fieldset>
          )}
          <Note>Every piece of the archive is compared with its checksum before the first row goes in.</Note>
        </>
      ) : (
        <Note>
          Each file has its metadata beside it: <code>notes.txt.json</code> says path, owner, description, visibility and tags of <code>notes.txt</code>. An owner is a
          user of this project, by e-mail address, handle or id. All are taken, or none.
        </Note>
      )}
      <div className="flex flex-wrap justify-end gap-2">
        <Button disabled={pending !== undefined} pending={pending === "dry"} onClick={() => void go(true)}>
          Check only
        </Button>
        <Button variant="primary" disabled={pending !== undefined} pending={pending === "whole"} onClick={() => void go(false)}>
          Import
        </Button>
      </div>
    </div>
  );
}

/** A file into the project: it is sent, looked into, mapped, tried and imported. */
export function TransferImport({ project, file, table, files, close }: { project: string; file: File; table?: string; files: boolean; close: () => void }) {
  const [part, setPart] = useState(0);
  const [source, setSource] = useState<string>();
  const [error, setError] = useState<unknown>();
  const [begun, setBegun] = useState<Begun>();
  const last = useRef<() => Promise<boolean>>(undefined);
  useEffect(() => {
    const sending = send(`/p/${encodeURIComponent(project)}/transfer/uploads`, file, setPart, "POST");
    let left = false;
    sending.done
      .then((text) => setSource((JSON.parse(text) as { id: string }).id))
      .catch((failure: unknown) => {
        if (!left) setError(failure);
      });
    return () => {
      left = true;
      sending.stop();
    };
  }, [project, file]);
  const start = async (make: (dry: boolean) => Promise<Job>, dry: boolean) => {
    setError(undefined);
    last.current = () => start(make, false);
    try {
      const job = await make(dry);
      setBegun({ id: job.id, dry });
      void refreshJobs(project);
      return true;
    } catch (failure) {
      setError(failure);
      return false;
    }
  };
  const begin = (wishes: Record<string, unknown>, dry: boolean) => start((only) => beginImport(project, { ...wishes, source, dry_run: only }), dry);
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent className="max-w-3xl" title={`Import ${file.name}`} description={bytes(file.size)} onInteractOutside={(event) => event.preventDefault()}>
        <div className="grid gap-4">
          <Refusal error={error} />
          {source === undefined ? (
            !error && (
              <div className="grid gap-1.5">
                <Progress label={`Upload of ${file.name}`} value={Math.round(part * 100)} of={100} />
                <p role="status" className="text-xs text-muted">
                  {part < 1 ? `${bytes(part * file.size)} of ${bytes(file.size)} sent` : "Being stored"}
                </p>
              </div>
            )
          ) : (
            <>
              {begun && (
                <Outcome
                  key={begun.id}
                  project={project}
                  id={begun.id}
                  dry={begun.dry}
                  again={() => setBegun(undefined)}
                  whole={last.current && (() => void last.current?.())}
                  close={close}
                />
              )}
              {/* What was chosen stays while it is tried. */}
              <div className={begun ? "hidden" : undefined}>
                {formatOf(file.name) === "zip" ? (
                  <IntoProject files={files} error={error} begin={begin} beginFiles={(dry) => start((only) => beginFolder(project, source, only), dry)} />
                ) : (
                  <IntoTable project={project} source={source} name={file.name} table={table} begin={begin} />
                )}
              </div>
            </>
          )}
        </div>
      </DialogContent>
    </DialogRoot>
  );
}
