import { ChevronLeft, ChevronRight, Folder } from "lucide-react";
import { useState } from "react";
import { t, tn } from "@/i18n";
import { call } from "@/lib/api";
import { filesChanged, useFolders } from "@/lib/queries";
import type { Entry, FolderItem } from "@/lib/types";
import { Dialog } from "./dialog";
import { Problem, useDoing } from "./form";
import { More } from "./more";
import { Failed, Waiting } from "./states";
import { say } from "./toast";

interface Props {
  entries: Entry[];
  close: () => void;
  done: (() => void) | undefined;
}

/** Chooses a folder, by walking through them. */
export function MoveDialog({ entries, close, done }: Props) {
  const [trail, setTrail] = useState<FolderItem[]>([]);
  const here = trail.at(-1);
  const { busy, problem, run } = useDoing();
  const folders = useFolders(here?.id);
  const moved = new Set(entries.map(({ id }) => id));
  const [first] = entries;
  const move = async () => {
    const to = here?.id ?? null;
    await Promise.all(
      entries.map(async (entry) =>
        entry.kind === "file"
          ? call("PATCH", `/files/${entry.id}`, { json: { folder_id: to } })
          : call("POST", `/folders/${entry.id}/move`, { json: { parent_id: to } }),
      ),
    );
    await filesChanged();
    say(t("moved_to", { folder: here?.name ?? t("my_files") }));
    done?.();
    close();
  };
  return (
    <Dialog
      title={entries.length === 1 && first ? t("move_title", { name: first.name }) : tn("move_many", entries.length)}
      onClose={close}
      footer={
        <>
          <button type="button" className="button" onClick={close}>
            {t("cancel")}
          </button>
          <button type="button" className="button button-primary" disabled={busy} onClick={() => void run(move)}>
            {t("move_here")}
          </button>
        </>
      }
    >
      <div className="mb-2 flex items-center gap-1">
        {here && (
          <button type="button" className="icon-button" aria-label={t("back")} onClick={() => setTrail(trail.slice(0, -1))}>
            <ChevronLeft size={20} aria-hidden />
          </button>
        )}
        <span className="truncate font-medium">{here?.name ?? t("my_files")}</span>
      </div>
      <Problem text={problem} />
      {folders.data ? (
        <>
          <ul className="min-h-40" aria-label={t("folders")}>
            {folders.data.pages
              .flatMap(({ items }) => items)
              .filter(({ id }) => !moved.has(id))
              .map((folder) => (
                <li key={folder.id}>
                  <button type="button" className="flex w-full items-center gap-3 rounded-lg px-2 py-2.5 text-left hover:bg-raised" onClick={() => setTrail([...trail, folder])}>
                    <Folder size={20} className="fill-folder/25 text-folder" aria-hidden />
                    <span className="min-w-0 flex-1 truncate">{folder.name}</span>
                    <ChevronRight size={18} className="text-muted" aria-hidden />
                  </button>
                </li>
              ))}
          </ul>
          <More on={folders.hasNextPage && !folders.isFetchNextPageError} more={() => void folders.fetchNextPage()} />
        </>
      ) : folders.isError ? (
        <Failed error={folders.error} again={() => void folders.refetch()} />
      ) : (
        <Waiting />
      )}
    </Dialog>
  );
}
