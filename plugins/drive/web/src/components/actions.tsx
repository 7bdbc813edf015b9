/** What can be done with files and folders, and the dialogs for it. */
import { Download, FolderInput, History, Pencil, Share2, Tags, Trash2 } from "lucide-react";
import { type ReactNode, useState } from "react";
import { t, tn } from "@/i18n";
import { call } from "@/lib/api";
import { download, downloadAll } from "@/lib/bytes-of";
import { filesChanged } from "@/lib/queries";
import { go, link } from "@/lib/route";
import type { Entry } from "@/lib/types";
import { Dialog } from "./dialog";
import type { Actions } from "./entries";
import { Field, Form, Problem, text } from "./form";
import type { Choice } from "./menu";
import { MoveDialog } from "./move";
import { ShareDialog } from "./share";
import { TagsDialog } from "./tags";
import { complain, say } from "./toast";
import { VersionsDialog } from "./versions";

type Doing = { what: "rename" | "share" | "tags" | "versions"; entry: Entry } | { what: "move"; entries: Entry[] };

export const pathOf = (entry: Entry) => (entry.kind === "file" ? `/files/${entry.id}` : `/folders/${entry.id}`);

/** Throws away, with a way back. */
export async function throwAway(entries: Entry[]): Promise<void> {
  await Promise.all(entries.map(async (entry) => call("DELETE", pathOf(entry))));
  await filesChanged();
  const first = entries[0];
  say(entries.length === 1 && first ? t("trashed_one", { name: first.name }) : tn("trashed", entries.length), {
    undo: () => {
      Promise.all(entries.map(async (entry) => call("POST", `${pathOf(entry)}/restore`)))
        .then(filesChanged)
        .catch(complain);
    },
  });
}

export async function fetchAll(entries: Entry[]): Promise<void> {
  const [only] = entries;
  if (entries.length === 1 && only?.kind === "file") {
    await download(only.id, only.name);
    return;
  }
  const ids = (kind: Entry["kind"]) => entries.filter((entry) => entry.kind === kind).map(({ id }) => id);
  await downloadAll(ids("file"), ids("folder"), `${entries.length === 1 && only ? only.name : t("files_zip")}.zip`);
}

/** The actions of a list, and the dialog that is open. */
export function useActions(options: { tags: boolean; done?: () => void; openFile: (entry: Entry) => void }): {
  actions: Actions;
  dialog: ReactNode;
  begin: (doing: Doing) => void;
} {
  const [doing, setDoing] = useState<Doing>();
  const close = () => setDoing(undefined);
  const remove = (entries: Entry[]) => {
    throwAway(entries).then(options.done, complain);
  };
  const choices = (entry: Entry): Choice[] => {
    const mayWrite = roleOf(entry) !== "viewer";
    const isOwn = roleOf(entry) === undefined;
    const all: (Choice | false)[] = [
      { label: t("download"), icon: <Download size={18} aria-hidden />, run: () => void fetchAll([entry]).catch(complain) },
      (isOwn || roleOf(entry) === "admin") && { label: t("share"), icon: <Share2 size={18} aria-hidden />, run: () => setDoing({ what: "share", entry }) },
      mayWrite && { label: t("rename"), icon: <Pencil size={18} aria-hidden />, run: () => setDoing({ what: "rename", entry }) },
      isOwn && { label: t("move"), icon: <FolderInput size={18} aria-hidden />, run: () => setDoing({ what: "move", entries: [entry] }) },
      mayWrite && options.tags && entry.kind === "file" && { label: t("tags"), icon: <Tags size={18} aria-hidden />, run: () => setDoing({ what: "tags", entry }) },
      entry.kind === "file" && { label: t("versions"), icon: <History size={18} aria-hidden />, run: () => setDoing({ what: "versions", entry }) },
      isOwn && { label: t("delete"), icon: <Trash2 size={18} aria-hidden />, bad: true, run: () => remove([entry]) },
    ];
    return all.filter((choice) => choice !== false);
  };
  const actions: Actions = {
    choices,
    rename: (entry) => setDoing({ what: "rename", entry }),
    remove,
    open: (entry) => (entry.kind === "folder" ? go(link("files", entry.id)) : options.openFile(entry)),
  };
  return { actions, dialog: doing && <Doer doing={doing} close={close} done={options.done} />, begin: setDoing };
}

function roleOf(entry: Entry) {
  return entry.kind === "file" ? entry.file.role : entry.folder.role;
}

function Doer({ doing, close, done }: { doing: Doing; close: () => void; done: (() => void) | undefined }) {
  switch (doing.what) {
    case "rename":
      return <Rename entry={doing.entry} close={close} />;
    case "move":
      return <MoveDialog entries={doing.entries} close={close} done={done} />;
    case "share":
      return <ShareDialog entry={doing.entry} close={close} />;
    case "tags":
      return doing.entry.kind === "file" ? <TagsDialog file={doing.entry.file} close={close} /> : null;
    case "versions":
      return doing.entry.kind === "file" ? <VersionsDialog file={doing.entry.file} close={close} /> : null;
  }
}

function Rename({ entry, close }: { entry: Entry; close: () => void }) {
  return (
    <Dialog
      title={t("rename_title", { name: entry.name })}
      onClose={close}
      footer={
        <>
          <button type="button" className="button" onClick={close}>
            {t("cancel")}
          </button>
          <button type="submit" form="rename" className="button button-primary">
            {t("rename")}
          </button>
        </>
      }
    >
      <Form
        id="rename"
        onSend={async (fields) => {
          const name = text(fields, "name").trim();
          await call("PATCH", pathOf(entry), { json: entry.kind === "file" ? { filename: name } : { name } });
          await filesChanged();
          close();
        }}
      >
        {({ problem }) => (
          <>
            <Field
              label={t("name")}
              name="name"
              defaultValue={entry.name}
              required
              maxLength={255}
              autoFocus
              onFocus={(event) => {
                // The ending stays unless it is meant.
                const end = entry.kind === "file" ? entry.name.lastIndexOf(".") : -1;
                event.target.setSelectionRange(0, end > 0 ? end : entry.name.length);
              }}
            />
            <Problem text={problem} />
          </>
        )}
      </Form>
    </Dialog>
  );
}

export function NewFolder({ parent, close }: { parent: string | undefined; close: () => void }) {
  return (
    <Dialog
      title={t("new_folder")}
      onClose={close}
      footer={
        <>
          <button type="button" className="button" onClick={close}>
            {t("cancel")}
          </button>
          <button type="submit" form="new-folder" className="button button-primary">
            {t("make")}
          </button>
        </>
      }
    >
      <Form
        id="new-folder"
        onSend={async (fields) => {
          await call("POST", "/folders", { json: { name: text(fields, "name").trim(), ...(parent ? { parent_id: parent } : {}) } });
          await filesChanged();
          close();
        }}
      >
        {({ problem }) => (
          <>
            <Field label={t("name")} name="name" required maxLength={255} autoFocus />
            <Problem text={problem} />
          </>
        )}
      </Form>
    </Dialog>
  );
}
