import { ChevronLeft, ChevronRight, Download, Info, X } from "lucide-react";
import { lazy, Suspense, useEffect, useRef, useState } from "react";
import { Waiting } from "@/components/states";
import { complain } from "@/components/toast";
import { t } from "@/i18n";
import { blobUrl, download, signedLink } from "@/lib/bytes-of";
import { explain } from "@/lib/explain";
import { bytes, whole } from "@/lib/format";
import { iconOf, kindOf } from "@/lib/kind";
import type { FileItem } from "@/lib/types";

const Pdf = lazy(async () => import("./pdf"));
const Text = lazy(async () => import("./text"));

interface Props {
  files: FileItem[];
  id: string;
  show: (id: string) => void;
  close: () => void;
}

/**
 * A file, over the whole window. What could run is shown as text or not at all;
 * images, sound and films are given to the elements for them, which run nothing.
 */
export default function Preview({ files, id, show, close }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const place = files.findIndex((file) => file.id === id);
  const file = files[place];
  const [told, tell] = useState(false);
  useEffect(() => {
    const node = dialog.current;
    const before = document.activeElement;
    if (node && !node.open) node.showModal();
    return () => {
      node?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const step = (by: number) => {
    const next = files[place + by];
    if (next) show(next.id);
  };
  if (!file) return null;
  return (
    <dialog
      ref={dialog}
      aria-label={file.filename}
      className="m-0 h-dvh max-h-none w-screen max-w-none bg-background p-0"
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onKeyDown={(event) => {
        event.stopPropagation();
        if (event.target instanceof HTMLElement && event.target.matches("video, audio, input")) return;
        if (event.key === "ArrowLeft") step(-1);
        if (event.key === "ArrowRight") step(1);
      }}
    >
      <div className="flex h-full flex-col">
        <header className="flex items-center gap-1 border-b border-border bg-panel px-2 py-1.5 md:px-4">
          <button type="button" className="icon-button" aria-label={t("close")} onClick={close}>
            <X size={22} aria-hidden />
          </button>
          <h2 className="min-w-0 flex-1 truncate px-1 font-semibold" title={file.filename}>
            {file.filename}
          </h2>
          <button type="button" className="icon-button" aria-label={t("details")} aria-pressed={told} onClick={() => tell(!told)}>
            <Info size={20} aria-hidden />
          </button>
          <button type="button" className="icon-button" aria-label={t("download")} onClick={() => void download(file.id, file.filename).catch(complain)}>
            <Download size={20} aria-hidden />
          </button>
        </header>
        <div className="relative flex min-h-0 flex-1">
          <div className="min-w-0 flex-1 overflow-auto">
            <Suspense fallback={<Waiting />}>
              <Content key={`${file.id} ${file.version}`} file={file} />
            </Suspense>
          </div>
          {told && <Details file={file} />}
          {place > 0 && (
            <button type="button" className="icon-button card absolute top-1/2 left-2 -translate-y-1/2 bg-panel" aria-label={t("previous")} onClick={() => step(-1)}>
              <ChevronLeft size={22} aria-hidden />
            </button>
          )}
          {place < files.length - 1 && (
            <button type="button" className="icon-button card absolute top-1/2 right-2 -translate-y-1/2 bg-panel" aria-label={t("next")} onClick={() => step(1)}>
              <ChevronRight size={22} aria-hidden />
            </button>
          )}
        </div>
      </div>
    </dialog>
  );
}

function Content({ file }: { file: FileItem }) {
  switch (kindOf(file.mime_type)) {
    case "image":
      return <Picture file={file} />;
    case "video":
    case "audio":
      return <Film file={file} sound={file.mime_type.startsWith("audio/")} />;
    case "pdf":
      return <Pdf file={file} />;
    case "text":
      return <Text file={file} />;
    case "other":
      return <Nothing file={file} />;
  }
}

/** Where a file cannot be shown: it can be had. */
export function Nothing({ file, problem }: { file: FileItem; problem?: string | undefined }) {
  const { Icon, colour } = iconOf(file.mime_type);
  return (
    <div className="flex h-full flex-col items-center justify-center gap-4 p-6 text-center">
      <Icon size={64} strokeWidth={1.2} className={colour} aria-hidden />
      <p className="text-muted" role={problem ? "alert" : undefined}>
        {problem ?? t("no_preview")}
      </p>
      <button type="button" className="button button-primary" onClick={() => void download(file.id, file.filename).catch(complain)}>
        <Download size={18} aria-hidden />
        {t("download")}
      </button>
    </div>
  );
}

/** Images come with the token and lie in memory; an SVG in an `img` runs nothing. */
function Picture({ file }: { file: FileItem }) {
  const [url, setUrl] = useState<string>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    const ending = new AbortController();
    let made: string | undefined;
    // Some browsers show not all that cameras make; the server can.
    const known = /^image\/(png|jpeg|gif|webp|avif|bmp|svg\+xml|x-icon|vnd\.microsoft\.icon)$/.test(file.mime_type);
    const asked = known ? blobUrl(`/files/${file.id}/download`, { disposition: "inline" }, ending.signal) : blobUrl(`/files/${file.id}/thumbnail`, { size: 1024 }, ending.signal);
    asked.then(
      (address) => {
        made = address;
        if (!ending.signal.aborted) setUrl(address);
      },
      (error: unknown) => {
        if (!ending.signal.aborted) setProblem(explain(error));
      },
    );
    return () => {
      ending.abort();
      if (made) URL.revokeObjectURL(made);
    };
  }, [file.id, file.mime_type]);
  if (problem) return <Nothing file={file} problem={problem} />;
  if (!url) return <Waiting />;
  return (
    <div className="flex h-full items-center justify-center p-2">
      <img src={url} alt={file.filename} className="max-h-full max-w-full object-contain" onError={() => setProblem(t("no_preview"))} />
    </div>
  );
}

/** Films stream by a signed link that ends soon and is good for nothing else. */
function Film({ file, sound }: { file: FileItem; sound: boolean }) {
  const [url, setUrl] = useState<string>();
  const [problem, setProblem] = useState<string>();
  const renewed = useRef(false);
  const fetchLink = () => {
    signedLink(file.id, "inline").then(setUrl, (error: unknown) => setProblem(explain(error)));
  };
  // oxlint-disable-next-line react/exhaustive-deps
  useEffect(fetchLink, [file.id]);
  if (problem) return <Nothing file={file} problem={problem} />;
  if (!url) return <Waiting />;
  const broken = () => {
    if (renewed.current) setProblem(t("no_preview"));
    else {
      renewed.current = true;
      fetchLink();
    }
  };
  return (
    <div className="flex h-full items-center justify-center bg-black p-2">
      {/* What users upload has no captions of its own. */}
      {sound ? (
        // oxlint-disable-next-line jsx-a11y/media-has-caption
        <audio src={url} controls className="w-full max-w-xl" onError={broken} aria-label={file.filename} />
      ) : (
        // oxlint-disable-next-line jsx-a11y/media-has-caption
        <video src={url} controls playsInline className="max-h-full max-w-full" onError={broken} aria-label={file.filename} />
      )}
    </div>
  );
}

function Details({ file }: { file: FileItem }) {
  const rows: [string, string][] = [
    [t("name"), file.filename],
    [t("place"), file.path.slice(0, -file.filename.length).replace(/\/$/, "") || t("my_files")],
    [t("size"), bytes(file.size)],
    [t("type"), file.mime_type],
    [t("version_word"), String(file.version)],
    [t("created"), whole(file.created_at)],
    [t("changed"), whole(file.updated_at)],
    ...(file.tags.length > 0 ? [[t("tags"), file.tags.join(", ")] as [string, string]] : []),
  ];
  return (
    <aside aria-label={t("details")} className="absolute inset-y-0 right-0 w-72 max-w-full overflow-y-auto border-l border-border bg-panel p-4 shadow-xl md:static md:shadow-none">
      <dl className="grid gap-3">
        {rows.map(([label, value]) => (
          <div key={label}>
            <dt className="text-sm text-muted">{label}</dt>
            <dd className="[overflow-wrap:anywhere]">{value}</dd>
          </div>
        ))}
      </dl>
    </aside>
  );
}
