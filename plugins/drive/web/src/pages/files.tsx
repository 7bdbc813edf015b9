import { ChevronRight, Download, FileUp, FolderInput, FolderPlus, FolderUp, LayoutGrid, List, Plus, Trash2, UploadCloud, X } from "lucide-react";
import { type DragEvent, useEffect, useMemo, useRef, useState } from "react";
import { NewFolder, fetchAll, useActions } from "@/components/actions";
import { Entries } from "@/components/entries";
import { Menu } from "@/components/menu";
import { More } from "@/components/more";
import { Empty, Failed, Waiting } from "@/components/states";
import { complain } from "@/components/toast";
import { type Key, t, tn } from "@/i18n";
import { keep, recall } from "@/lib/kept";
import { type Sort, useFeatures, useFiles, useFolders, useTrail } from "@/lib/queries";
import { link } from "@/lib/route";
import { type Entry, fileEntry, folderEntry } from "@/lib/types";
import { useLooking } from "@/preview/looking";
import { typing } from "@/shell/shell";
import { fromDrop, fromList } from "@/uploads/chosen";
import { enqueue } from "@/uploads/store";

const sorts: [Sort, Key][] = [
  ["filename", "sort_name"],
  ["-filename", "sort_name_down"],
  ["-updated_at", "sort_newest"],
  ["updated_at", "sort_oldest"],
  ["-size", "sort_largest"],
  ["size", "sort_smallest"],
];
const sortNames = sorts.map(([sort]) => sort);

export function FilesPage({ folder }: { folder: string | undefined }) {
  const [sort, setSort] = useState<Sort>(() => recall("sort", sortNames, "filename"));
  const [view, setView] = useState<"list" | "grid">(() => recall("view", ["list", "grid"], "list"));
  const [chosen, choose] = useState<ReadonlySet<string>>(new Set());
  const [making, setMaking] = useState(false);
  const features = useFeatures();
  const files = useFiles(folder, sort);
  const folders = useFolders(folder);
  const trail = useTrail(folder);
  const picker = useRef<HTMLInputElement>(null);
  const folderPicker = useRef<HTMLInputElement>(null);
  const { actions, dialog, begin } = useActions({ tags: features.search, done: () => choose(new Set()), openFile: (entry) => look(entry.id) });
  const dragging = useDropping(folder);
  const { look, preview } = useLooking(useMemo(() => (files.data?.pages ?? []).flatMap((page) => page.items), [files.data]));

  const entries = useMemo<Entry[]>(
    () => [
      ...sortFolders((folders.data?.pages ?? []).flatMap((page) => page.items.map(folderEntry)), sort),
      ...(files.data?.pages ?? []).flatMap((page) => page.items.map(fileEntry)),
    ],
    [folders.data, files.data, sort],
  );
  const picked = entries.filter(({ id }) => chosen.has(id));

  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (typing(event) || document.querySelector("dialog[open]")) return;
      if (event.key === "u") picker.current?.click();
      else if (event.key === "n") setMaking(true);
      else return;
      event.preventDefault();
    };
    const paste = (event: ClipboardEvent) => {
      if (document.querySelector("dialog[open]")) return;
      const pasted = [...(event.clipboardData?.files ?? [])];
      if (pasted.length === 0) return;
      event.preventDefault();
      enqueue(fromList(pasted), folder);
    };
    document.addEventListener("keydown", press);
    document.addEventListener("paste", paste);
    return () => {
      document.removeEventListener("keydown", press);
      document.removeEventListener("paste", paste);
    };
  }, [folder]);

  const error = files.error ?? folders.error;
  const loading = files.isPending || folders.isPending;
  const upload = (input: HTMLInputElement) => {
    enqueue(fromList(input.files ?? []), folder);
    input.value = "";
  };

  return (
    <div className="flex min-h-full flex-col">
      <header className="sticky top-0 z-20 flex flex-wrap items-center gap-x-3 gap-y-1 bg-background px-3 pt-2 pb-2 md:rounded-t-2xl md:bg-panel md:px-5 md:pt-4">
        <Trail folder={folder} trail={trail.data} />
        <div className="ml-auto flex items-center gap-1">
          <label>
            <span className="sr-only">{t("sort")}</span>
            <select
              className="h-10 max-w-36 rounded-xl border border-transparent bg-transparent px-2 text-muted hover:bg-raised"
              value={sort}
              onChange={(event) => {
                const wanted = sortNames.find((name) => name === event.target.value) ?? "filename";
                keep("sort", wanted);
                setSort(wanted);
              }}
            >
              {sorts.map(([name, label]) => (
                <option key={name} value={name}>
                  {t(label)}
                </option>
              ))}
            </select>
          </label>
          <button
            type="button"
            className="icon-button"
            aria-label={view === "list" ? t("as_grid") : t("as_list")}
            onClick={() => {
              const wanted = view === "list" ? "grid" : "list";
              keep("view", wanted);
              setView(wanted);
            }}
          >
            {view === "list" ? <LayoutGrid size={20} aria-hidden /> : <List size={20} aria-hidden />}
          </button>
          <Menu
            label={t("new")}
            className="button button-primary"
            choices={[
              { label: t("upload_files"), icon: <FileUp size={18} aria-hidden />, run: () => picker.current?.click() },
              { label: t("upload_folder"), icon: <FolderUp size={18} aria-hidden />, run: () => folderPicker.current?.click() },
              { label: t("new_folder"), icon: <FolderPlus size={18} aria-hidden />, run: () => setMaking(true) },
            ]}
          >
            <Plus size={18} aria-hidden />
            {t("new")}
          </Menu>
          <input ref={picker} type="file" multiple hidden data-testid="picker" onChange={(event) => upload(event.target)} />
          <input
            ref={(node) => {
              folderPicker.current = node;
              node?.setAttribute("webkitdirectory", "");
            }}
            type="file"
            multiple
            hidden
            onChange={(event) => upload(event.target)}
          />
        </div>
      </header>

      {picked.length > 0 && (
        <div role="toolbar" aria-label={t("chosen")} className="sticky top-16 z-20 mx-3 mb-1 flex items-center gap-1 rounded-xl bg-accent px-2 text-accent-foreground md:mx-5">
          <button type="button" className="icon-button text-inherit" aria-label={t("choose_none")} onClick={() => choose(new Set())}>
            <X size={18} aria-hidden />
          </button>
          <span className="flex-1 text-sm font-medium">{tn("chosen", picked.length)}</span>
          <button type="button" className="icon-button text-inherit" aria-label={t("download")} onClick={() => void fetchAll(picked).catch(complain)}>
            <Download size={18} aria-hidden />
          </button>
          <button type="button" className="icon-button text-inherit" aria-label={t("move")} onClick={() => begin({ what: "move", entries: picked })}>
            <FolderInput size={18} aria-hidden />
          </button>
          <button type="button" className="icon-button text-inherit" aria-label={t("delete")} onClick={() => actions.remove?.(picked)}>
            <Trash2 size={18} aria-hidden />
          </button>
        </div>
      )}

      {error ? (
        <Failed error={error} again={() => void Promise.all([files.refetch(), folders.refetch()])} />
      ) : loading ? (
        <Waiting />
      ) : entries.length === 0 ? (
        <Empty icon={<UploadCloud size={30} aria-hidden />} title={folder ? t("empty_folder") : t("empty_drive")}>
          {t("empty_text")}
        </Empty>
      ) : (
        <Entries entries={entries} view={view} actions={actions} chosen={chosen} choose={choose} label={t("files_and_folders")} />
      )}
      <More
        on={files.hasNextPage || folders.hasNextPage}
        more={() => {
          if (folders.hasNextPage) void folders.fetchNextPage();
          else if (!files.isFetchingNextPage) void files.fetchNextPage();
        }}
      />

      {dragging && (
        <div className="pointer-events-none fixed inset-3 z-50 flex flex-col items-center justify-center gap-3 rounded-3xl border-2 border-dashed border-primary bg-accent/90 text-lg font-semibold text-accent-foreground">
          <UploadCloud size={44} aria-hidden />
          {t("drop_here")}
        </div>
      )}
      {dialog}
      {making && <NewFolder parent={folder} close={() => setMaking(false)} />}
      {preview}
    </div>
  );
}

/** Folders are sorted here: there are few, and they come first. */
function sortFolders(folders: Entry[], sort: Sort): Entry[] {
  const names = new Intl.Collator(undefined, { numeric: true });
  const time = (entry: Entry) => (entry.kind === "folder" ? entry.folder.updated_at : "");
  switch (sort) {
    case "-filename":
      return folders.toSorted((one, other) => names.compare(other.name, one.name));
    case "updated_at":
      return folders.toSorted((one, other) => time(one).localeCompare(time(other)));
    case "-updated_at":
      return folders.toSorted((one, other) => time(other).localeCompare(time(one)));
    default:
      return folders.toSorted((one, other) => names.compare(one.name, other.name));
  }
}

function Trail({ folder, trail }: { folder: string | undefined; trail: { id: string; name: string }[] | undefined }) {
  const last = trail?.at(-1);
  return (
    <nav aria-label={t("breadcrumbs")} className="min-w-0 flex-1 basis-40">
      <ol className="flex min-w-0 items-center gap-1 text-lg">
        <li className={folder ? "shrink-0" : "min-w-0"}>
          {folder ? (
            <a className="rounded-lg text-muted hover:text-foreground" href={link("files")}>
              {t("my_files")}
            </a>
          ) : (
            <h1 className="truncate font-semibold">{t("my_files")}</h1>
          )}
        </li>
        {trail?.map((step) => (
          <li key={step.id} className="flex min-w-0 items-center gap-1">
            <ChevronRight size={18} className="text-muted" aria-hidden />
            {step === last ? (
              <h1 className="truncate font-semibold" aria-current="page">
                {step.name}
              </h1>
            ) : (
              <a className="truncate rounded-lg text-muted hover:text-foreground" href={link("files", step.id)}>
                {step.name}
              </a>
            )}
          </li>
        ))}
      </ol>
    </nav>
  );
}

/** Whether something is held over the page; what is let go is uploaded. */
function useDropping(folder: string | undefined): boolean {
  const [over, setOver] = useState(false);
  useEffect(() => {
    let depth = 0;
    const carries = (event: globalThis.DragEvent | DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: globalThis.DragEvent) => {
      if (!carries(event)) return;
      depth += 1;
      setOver(true);
    };
    const leave = (event: globalThis.DragEvent) => {
      if (!carries(event)) return;
      depth -= 1;
      if (depth <= 0) setOver(false);
    };
    const hover = (event: globalThis.DragEvent) => {
      if (carries(event)) event.preventDefault();
    };
    const drop = (event: globalThis.DragEvent) => {
      if (!carries(event) || !event.dataTransfer) return;
      event.preventDefault();
      depth = 0;
      setOver(false);
      fromDrop(event.dataTransfer).then((dropped) => enqueue(dropped, folder), complain);
    };
    document.addEventListener("dragenter", enter);
    document.addEventListener("dragleave", leave);
    document.addEventListener("dragover", hover);
    document.addEventListener("drop", drop);
    return () => {
      document.removeEventListener("dragenter", enter);
      document.removeEventListener("dragleave", leave);
      document.removeEventListener("dragover", hover);
      document.removeEventListener("drop", drop);
    };
  }, [folder]);
  return over;
}
