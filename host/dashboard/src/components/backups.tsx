import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Archive, CalendarClock, Download, TriangleAlert } from "lucide-react";
import { useMemo, useState } from "react";
import { reason } from "@/api/client";
import { bytes, count, plural } from "@/lib/format";
import { useCursorPages, useWords } from "@/lib/pages";
import { useAction } from "@/lib/use-action";
import { BackupState, Tested } from "./backup-parts";
import { PolicyDialog, policyInWords } from "./backup-policy";
import { type Backup, type Owner, backupsQuery, beginBackup, linkTo, nameOf, policyQuery, reasons, refreshBackups } from "./backup-queries";
import { BackupSheet } from "./backup-sheet";
import { type Col, DataTable } from "./data-table";
import { Progress } from "./progress";
import { Empty } from "./states";
import { Cut, When } from "./text";
import { Badge } from "./ui/badge";
import { Button } from "./ui/button";
import { Card } from "./ui/card";

/** What its archive holds, in a few words. */
const contents = (one: Backup) => [plural(one.rows, "row"), one.objects > 0 && plural(one.objects, "object")].filter(Boolean).join(", ");

/** The list of backups of a project, or of the platform and all projects; making one, and how they are made by themselves. */
export function Backups({ project }: { project: Owner }) {
  const [words, change] = useWords<"backup" | "pages">();
  const { cursor, pager } = useCursorPages();
  const [planning, setPlanning] = useState(false);
  const { data: planned } = useQuery(policyQuery(project));
  const policy = planned?.policy;
  const { data, error, refetch, isPlaceholderData } = useQuery({ ...backupsQuery(project, cursor), placeholderData: keepPreviousData });
  const { pending, run } = useAction();
  const download = useAction();
  const columns = useMemo<Col<Backup>[]>(
    () => [
      {
        id: "made",
        head: "Backup",
        sort: (one) => one.created_at,
        cell: (one) => (
          <button type="button" className="group block text-left" onClick={() => change({ backup: one.id })}>
            <span className="block font-medium group-hover:underline">
              <When at={one.created_at} />
            </span>
            <span className="block max-w-56 truncate text-xs text-muted">{reasons[one.reason] ?? one.reason}</span>
          </button>
        ),
      },
      ...(project === undefined
        ? [
            {
              id: "of",
              head: "Of",
              sort: (one: Backup) => nameOf(one),
              cell: (one: Backup) => (one.project ? <Cut text={nameOf(one)} mono className="max-w-40" /> : <Badge tone="accent">platform</Badge>),
            },
          ]
        : []),
      {
        id: "state",
        head: "State",
        sort: (one) => one.state,
        cell: (one) =>
          one.state === "running" ? (
            <span className="grid w-32 gap-1">
              <Progress label="The backup is being made" />
              <span className="truncate text-xs text-muted" role="status">
                {one.step}, {bytes(one.bytes)}
              </span>
            </span>
          ) : (
            <BackupState state={one.state} />
          ),
      },
      {
        id: "size",
        head: "Size",
        sort: (one) => one.bytes,
        cell: (one) => <span className="whitespace-nowrap tabular-nums">{one.state === "ready" ? bytes(one.bytes) : "–"}</span>,
      },
      {
        id: "holds",
        head: "Holds",
        wide: true,
        cell: (one) =>
          one.state === "failed" ? (
            <Cut text={reason(one.error ?? "it failed")} className="text-bad" />
          ) : (
            <span className="whitespace-nowrap text-muted tabular-nums">{one.state === "ready" ? contents(one) : "–"}</span>
          ),
      },
      { id: "tested", head: "Tested", wide: true, cell: (one) => (one.state === "ready" ? <Tested backup={one} /> : null) },
      {
        id: "actions",
        head: "Actions",
        hiddenHead: true,
        wide: true,
        className: "w-12",
        cell: (one) =>
          one.state === "ready" ? (
            <Button
              variant="ghost"
              size="icon-sm"
              aria-label={`Download the backup of ${one.created_at}`}
              onClick={() => void download.run(async () => location.assign((await linkTo(project, one.id)).url))}
            >
              <Download aria-hidden />
            </Button>
          ) : null,
      },
    ],
    // What runs a download is another with each draw, and does the same.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
    [project, change],
  );
  const create = (
    <Button
      variant="primary"
      pending={pending}
      onClick={() =>
        void run(async () => {
          await beginBackup(project);
          await refreshBackups();
        }, "The backup is being made")
      }
    >
      <Archive aria-hidden /> {project === undefined ? "Back the platform up" : "Back up now"}
    </Button>
  );
  const kept = data?.items.filter((one) => one.state === "ready") ?? [];
  return (
    <>
      <Card>
        <div className="flex flex-wrap items-center gap-3 border-b border-border p-3">
          <p className="min-w-0 flex-1 basis-56 text-[0.8125rem] text-muted">
            {policy ? policyInWords(policy) : "…"}
            {kept.length > 0 && !words.pages && !data?.next_cursor && (
              <span className="block text-xs">
                {count(kept.length)} kept, {bytes(kept.reduce((sum, one) => sum + one.bytes, 0))} in all.
              </span>
            )}
          </p>
          <Button onClick={() => setPlanning(true)} disabled={!policy}>
            <CalendarClock aria-hidden /> Schedule
          </Button>
          {create}
        </div>
        {policy?.failure && (
          <div role="alert" className="flex gap-2 border-b border-border bg-bad-soft px-3 py-2 text-[0.8125rem] text-bad">
            <TriangleAlert className="mt-0.5 size-4 shrink-0" aria-hidden />
            <span className="min-w-0 break-words">
              By schedule it failed, <When at={policy.failure.at} />: {reason(policy.failure.error)}.{" "}
              {policy.failure.attempt === 0 ? "It was given up until the next time" : "It is tried again"}
              {policy.next_at && (
                <>
                  , <When at={policy.next_at} />
                </>
              )}
              .
            </span>
          </div>
        )}
        <DataTable
          sortWord="by"
          label="Backups"
          columns={columns}
          rows={data?.items}
          error={error}
          retry={() => void refetch()}
          stale={isPlaceholderData}
          rowKey={(one) => one.id}
          pager={pager(data?.next_cursor)}
          empty={
            <Empty icon={Archive} title="No backups yet" action={create}>
              {project === undefined
                ? "A backup of the platform holds admins, the catalogue of plugins and the audit. Projects have backups of their own."
                : "One file, sealed, with the database, the files, the users and the settings of this project; made while everything goes on."}
            </Empty>
          }
        />
      </Card>
      {planning && planned && <PolicyDialog project={project} {...planned} close={() => setPlanning(false)} />}
      {words.backup && (
        <BackupSheet
          key={words.backup}
          project={project}
          id={words.backup}
          close={() => change({ backup: undefined })}
          open={(id) => change({ backup: id })}
        />
      )}
    </>
  );
}
