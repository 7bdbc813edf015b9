import { RotateCcw, Trash2 } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { pathOf } from "@/components/actions";
import { Dialog } from "@/components/dialog";
import { Entries } from "@/components/entries";
import { Problem, useDoing } from "@/components/form";
import { More } from "@/components/more";
import { Empty, Failed, Waiting } from "@/components/states";
import { Title } from "@/components/title";
import { complain, say } from "@/components/toast";
import { t, tn } from "@/i18n";
import { call } from "@/lib/api";
import { whole } from "@/lib/format";
import { both, filesChanged, useTrash } from "@/lib/queries";
import { Refused } from "@/lib/refused";
import { whoIs } from "@/lib/session";
import { type Entry, fileEntry, folderEntry } from "@/lib/types";

export default function TrashPage() {
  const trash = useTrash();
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const [ending, setEnding] = useState<Entry[] | "all">();
  const entries: Entry[] = trash.data ? [...trash.data.folders.map(folderEntry), ...trash.data.files.map(fileEntry)] : [];
  const picked = entries.filter(({ id }) => chosen.has(id));
  const restore = async (wanted: Entry[]) => {
    await Promise.all(wanted.map(async (entry) => call("POST", `${pathOf(entry)}/restore`)));
    choose(new Set());
    await filesChanged();
    const [first] = wanted;
    say(wanted.length === 1 && first ? t("restored_one", { name: first.name }) : tn("restored", wanted.length));
  };
  const actions = {
    choices: (entry: Entry) => [
      { label: t("restore"), icon: <RotateCcw size={18} aria-hidden />, run: () => void restore([entry]).catch(complain) },
      { label: t("delete_forever"), icon: <Trash2 size={18} aria-hidden />, bad: true, run: () => setEnding([entry]) },
    ],
    remove: setEnding,
    open: (entry: Entry) => choose(new Set(chosen.has(entry.id) ? [...chosen].filter((id) => id !== entry.id) : [...chosen, entry.id])),
  };
  return (
    <>
      <Title
        actions={
          entries.length > 0 && (
            <div className="flex flex-wrap gap-2">
              {picked.length > 0 && (
                <button type="button" className="button" onClick={() => void restore(picked).catch(complain)}>
                  <RotateCcw size={18} aria-hidden />
                  {t("restore")}
                </button>
              )}
              <button type="button" className="button button-bad" onClick={() => setEnding(picked.length > 0 ? picked : "all")}>
                <Trash2 size={18} aria-hidden />
                {picked.length > 0 ? t("delete_forever") : t("empty_trash")}
              </button>
            </div>
          )
        }
      >
        {t("trash")}
      </Title>
      {trash.isError ? (
        <Failed error={trash.error} again={() => void trash.refetch()} />
      ) : trash.data ? (
        entries.length > 0 ? (
          <Entries
            entries={entries}
            view="list"
            actions={actions}
            chosen={chosen}
            choose={choose}
            label={t("trash")}
            detail={(entry) => {
              const at = entry.kind === "file" ? entry.file.deleted_at : entry.folder.deleted_at;
              return at ? t("deleted_at", { when: whole(at) }) : null;
            }}
          />
        ) : (
          <Empty icon={<Trash2 size={30} aria-hidden />} title={t("empty_trash_title")}>
            {t("empty_trash_text")}
          </Empty>
        )
      ) : (
        <Waiting />
      )}
      <More on={trash.hasNextPage && !trash.isFetchNextPageError} more={() => void trash.fetchNextPage()} />
      {ending && (
        <End
          entries={ending}
          close={() => {
            setEnding(undefined);
            choose(new Set());
          }}
        />
      )}
    </>
  );
}

/** Deletes everything in the trash, however much, until `stops`; how many things that were. */
async function empty(stops: () => boolean): Promise<number> {
  const who = whoIs();
  for (let count = 0; ; ) {
    // What was deleted is not in the next page.
    // oxlint-disable-next-line no-await-in-loop
    const { folders, files } = await both("trash", { folders: undefined, files: undefined });
    // Nobody else's trash, and not for ever.
    if (stops() || whoIs() !== who) return count;
    // oxlint-disable-next-line no-await-in-loop
    const gone = await end([...folders.map(folderEntry), ...files.map(fileEntry)]);
    if (gone === 0) return count;
    count += gone;
  }
}

/** Deletes things for good; how many were there. */
async function end(entries: Entry[]): Promise<number> {
  const one = async (entry: Entry) => {
    try {
      await call("DELETE", pathOf(entry), { params: { permanent: true } });
      return 1;
    } catch (error) {
      // It went with the folder that it lay in.
      if (error instanceof Refused && error.status === 404) return 0;
      throw error;
    }
  };
  const gone: number[] = await Promise.all(entries.map(one));
  return gone.reduce((sum, each) => sum + each, 0);
}

function End({ entries, close }: { entries: Entry[] | "all"; close: () => void }) {
  const { busy, problem, run } = useDoing();
  const [first] = entries === "all" ? [] : entries;
  const stopped = useRef(false);
  useEffect(() => {
    stopped.current = false;
    return () => {
      stopped.current = true;
    };
  }, []);
  return (
    <Dialog
      title={entries === "all" ? t("empty_trash") : t("delete_forever")}
      onClose={close}
      footer={
        <>
          <button type="button" className="button" onClick={close}>
            {t("cancel")}
          </button>
          <button
            type="button"
            className="button button-bad"
            disabled={busy}
            onClick={() =>
              void run(async () => {
                try {
                  if (entries === "all") say(tn("gone", await empty(() => stopped.current)));
                  else await end(entries);
                } finally {
                  await filesChanged();
                }
                close();
              })
            }
          >
            {t("delete_forever")}
          </button>
        </>
      }
    >
      <p>
        {entries === "all" ? t("delete_sure_all") : entries.length === 1 && first ? t("delete_sure_one", { name: first.name }) : tn("delete_sure", entries.length)}
      </p>
      <Problem text={problem} />
    </Dialog>
  );
}
