import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { Download, RotateCcw, ShieldCheck, Trash2, Undo2 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { toast } from "sonner";
import { reason } from "@/api/client";
import { projectQuery, queryClient } from "@/api/queries";
import { bytes, count, moment } from "@/lib/format";
import { useAction } from "@/lib/use-action";
import { ActorName } from "./actor";
import { BackupState, Tested } from "./backup-parts";
import { type BackupRun, type Owner, backupQuery, deleteBackup, linkTo, nameOf, reasons, refreshBackups, testBackup } from "./backup-queries";
import { RestoreDialog } from "./backup-restore";
import { Confirm } from "./confirm";
import { Progress } from "./progress";
import { Failure, Loading, Note, Refusal } from "./states";
import { CopyButton, Secret, When } from "./text";
import { Button } from "./ui/button";
import { DialogContent, DialogRoot } from "./ui/dialog";

const kinds: Record<string, string> = {
  verify: "Test",
  restore_over: "Restore over the project",
  restore_new: "Restore as a new project",
};

/** One test or restore: how far it is and what came of it. */
function Run({ run, undo }: { run: BackupRun; undo: ((id: string) => void) | undefined }) {
  const made = useQuery({ ...projectQuery(run.project ?? ""), enabled: run.kind === "restore_new" && run.state === "done" && run.project !== null, retry: false });
  return (
    <li className="grid gap-1.5 border-b border-border px-3 py-2.5 text-[0.8125rem] last:border-0">
      <div className="flex flex-wrap items-center gap-2">
        <span className="min-w-0 flex-1 font-medium">{kinds[run.kind] ?? run.kind}</span>
        <span className="text-xs text-muted">
          <When at={run.created_at} />
        </span>
        <BackupState state={run.state} />
      </div>
      {run.state === "running" && (
        <>
          <Progress label={`${kinds[run.kind] ?? run.kind} goes on`} />
          <p role="status" className="text-xs text-muted">
            {run.step}, {bytes(run.bytes)} read
          </p>
        </>
      )}
      {run.error && <Refusal error={new Error(run.error)} />}
      {made.data && (
        <p className="text-xs text-muted">
          It is the project{" "}
          <Link to="/projects/$project" params={{ project: made.data.slug }} className="text-accent-foreground underline underline-offset-4">
            {made.data.name}
          </Link>{" "}
          now. It has no keys yet, unless it is the original that came back.
        </p>
      )}
      {run.before && run.state === "done" && undo && (
        <div className="flex flex-wrap items-center gap-2">
          <p className="min-w-0 flex-1 basis-48 text-xs text-muted">What was there before is kept as a backup of its own.</p>
          <Button size="sm" onClick={() => run.before && undo(run.before)}>
            <Undo2 aria-hidden /> Undo this restore…
          </Button>
        </div>
      )}
    </li>
  );
}

/** One backup: what is in it, and what can be done with it. */
export function BackupSheet({ project, id, close, open }: { project: Owner; id: string; close: () => void; open: (id: string) => void }) {
  const { data, error, refetch } = useQuery(backupQuery(project, id));
  // Whether the project of a backup in the platform's list is still there.
  const whose = useQuery({ ...projectQuery(data?.project ?? ""), enabled: project === undefined && data?.project !== null && data !== undefined, retry: false });
  const [asking, setAsking] = useState<"restore" | "delete">();
  const [undoing, setUndoing] = useState<string>();
  const [link, setLink] = useState<{ url: string; until: string }>();
  const { pending, run } = useAction();
  const ready = data?.state === "ready";
  const busy = data?.runs.some((one) => one.state === "running") ?? false;
  const runs = useRef(new Map<string, string>());
  useEffect(() => {
    for (const one of data?.runs ?? []) {
      const before = runs.current.get(one.id);
      runs.current.set(one.id, one.state);
      if (before !== "running" || one.state === "running") continue;
      const name = kinds[one.kind] ?? one.kind;
      if (one.state === "failed") toast.error(`${name}: ${reason(one.error ?? "it failed")}`);
      else toast.success(one.kind === "verify" ? "The backup can be loaded" : "It is restored");
      void refreshBackups();
      if (one.kind === "restore_over") void queryClient.invalidateQueries({ queryKey: ["project"] });
      if (one.kind === "restore_new") void queryClient.invalidateQueries({ queryKey: ["projects"] });
    }
  }, [data]);
  const ofPlatform = data?.project === null;
  const facts: [string, React.ReactNode][] = data
    ? [
        ["Made", moment(data.created_at)],
        ["Why", reasons[data.reason] ?? data.reason],
        ["By", <ActorName key="by" id={data.actor} />],
        ["Size", bytes(data.bytes)],
        ["Rows of the platform", count(data.rows)],
        ...(ofPlatform ? [] : ([["Objects", count(data.objects)]] as [string, React.ReactNode][])),
        ["Tested", data.verified_at ? <When key="tested" at={data.verified_at} /> : "not yet"],
      ]
    : [];
  return (
    <DialogRoot open onOpenChange={(next) => !next && close()}>
      <DialogContent
        side
        title={data ? `Backup of ${nameOf(data) === "platform" ? "the platform" : nameOf(data)}` : "Backup"}
        description={data ? moment(data.created_at) : "Loading"}
        footer={
          data && (
            <>
              <Button variant="danger" disabled={busy || data.state === "running"} onClick={() => setAsking("delete")}>
                <Trash2 aria-hidden /> Delete
              </Button>
              {ready && (
                <>
                  <Button
                    pending={pending}
                    disabled={busy}
                    onClick={() =>
                      void run(async () => {
                        await testBackup(project, id);
                        await refetch();
                      })
                    }
                  >
                    <ShieldCheck aria-hidden /> Test
                  </Button>
                  <Button
                    onClick={() =>
                      void run(async () => {
                        const made = await linkTo(project, id);
                        setLink({ url: made.url, until: new Date(Date.now() + made.expires_in * 1_000).toISOString() });
                        location.assign(made.url);
                      })
                    }
                  >
                    <Download aria-hidden /> Download
                  </Button>
                  {!ofPlatform && (
                    <Button variant="primary" disabled={busy} onClick={() => setAsking("restore")}>
                      <RotateCcw aria-hidden /> Restore…
                    </Button>
                  )}
                </>
              )}
            </>
          )
        }
      >
        {error && !data ? (
          <Failure error={error} retry={() => void refetch()} />
        ) : !data ? (
          <Loading />
        ) : (
          <div className="grid gap-5">
            <div className="flex flex-wrap items-center gap-2">
              <BackupState state={data.state} />
              {ready && <Tested backup={data} />}
              <span className="flex items-center text-xs text-muted">
                <code>{data.id}</code>
                <CopyButton text={data.id} label="Copy the id" />
              </span>
            </div>
            {data.state === "running" && (
              <div className="grid gap-1.5">
                <Progress label="The backup is being made" />
                <p role="status" className="text-xs text-muted">
                  {data.step}, {bytes(data.bytes)} so far
                </p>
              </div>
            )}
            {data.error && <Refusal error={new Error(data.error)} />}
            {data.verify_error && <Refusal error={new Error(`It cannot be restored: ${data.verify_error}`)} />}
            {link && (
              <div className="grid gap-1.5">
                <Secret text={link.url} label="signed link" />
                <p className="text-xs text-muted">Whoever has it may download this backup until {moment(link.until)}. Without the platform's key it says nothing.</p>
              </div>
            )}
            <dl className="grid grid-cols-[10rem_1fr] gap-y-1.5 text-[0.8125rem]">
              {facts.map(([name, value]) => (
                <div key={name} className="contents">
                  <dt className="text-muted">{name}</dt>
                  <dd className="break-all">{value}</dd>
                </div>
              ))}
            </dl>
            <p className="text-[0.8125rem] text-muted">
              {ofPlatform
                ? "Holds admins, the catalogue of plugins with their components, and the audit. It is brought back on an empty host, by the command below."
                : "Holds the database with the schemas of its plugins, users, installations with their configuration, keys as hashes, the queue, components and files."}
            </p>
            {ofPlatform && ready && <Secret text={`atlashub restore ${data.id}`} label="command" />}
            {data.sha256 && (
              <div className="grid gap-1.5">
                <h3 className="text-[0.8125rem] font-medium">SHA-256 of the archive</h3>
                <Secret text={data.sha256} label="SHA-256" />
              </div>
            )}
            {whose.data && (
              <Note>
                Its project is there:{" "}
                <Link to="/projects/$project/database" params={{ project: whose.data.slug }} search={{ backup: id }} className="underline underline-offset-4">
                  restore over {whose.data.name}
                </Link>{" "}
                from its own page.
              </Note>
            )}
            {whose.error && <Note tone="warn">Its project is gone. Restored, it comes back under its own id, with its keys.</Note>}
            {data.runs.length > 0 && (
              <section>
                <h3 className="mb-2 text-[0.8125rem] font-medium">Tests and restores</h3>
                <ul className="rounded-md border border-border">
                  {data.runs.map((one) => (
                    <Run key={one.id} run={one} undo={project === undefined ? undefined : setUndoing} />
                  ))}
                </ul>
              </section>
            )}
          </div>
        )}
        {asking === "restore" && data && (
          <RestoreDialog project={project} backup={data} close={() => setAsking(undefined)} begun={() => void refetch()} />
        )}
        {undoing && project !== undefined && (
          <RestoreDialog
            project={project}
            backup={{ id: undoing }}
            undo
            close={() => setUndoing(undefined)}
            begun={() => open(undoing)}
          />
        )}
        <Confirm
          open={asking === "delete"}
          onOpenChange={(next) => !next && setAsking(undefined)}
          title="Delete this backup?"
          action="Delete it"
          run={async () => {
            await deleteBackup(project, id);
            toast.success("The backup is deleted");
            close();
            await refreshBackups();
          }}
        >
          <p>Its archive goes with it. Whoever holds a copy that was downloaded can still restore that.</p>
        </Confirm>
      </DialogContent>
    </DialogRoot>
  );
}
