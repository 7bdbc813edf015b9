import { Folder } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { blobUrl } from "@/lib/bytes-of";
import { hasThumbnail, iconOf } from "@/lib/kind";
import type { Entry, FileItem } from "@/lib/types";

/** What an entry looks like: a small picture where there is one. */
export function Thumbnail({ entry, large = false }: { entry: Entry; large?: boolean }) {
  if (entry.kind === "folder") return <Folder size={large ? 56 : 24} className="fill-folder/25 text-folder" aria-hidden />;
  return hasThumbnail(entry.file.mime_type) ? <Small file={entry.file} large={large} /> : <Icon type={entry.file.mime_type} large={large} />;
}

function Icon({ type, large }: { type: string; large: boolean }) {
  const { Icon: Sign, colour } = iconOf(type);
  return <Sign size={large ? 48 : 24} strokeWidth={large ? 1.4 : 1.8} className={colour} aria-hidden />;
}

function Small({ file, large }: { file: FileItem; large: boolean }) {
  const holder = useRef<HTMLSpanElement>(null);
  const [url, setUrl] = useState<string>();
  const size = large ? 256 : 64;
  const { id, etag } = file;
  useEffect(() => {
    const node = holder.current;
    if (!node) return;
    const ending = new AbortController();
    let made: string | undefined;
    // Only what is in view is fetched.
    const observer = new IntersectionObserver((seen) => {
      if (!seen.some((entry) => entry.isIntersecting)) return;
      observer.disconnect();
      blobUrl(`/files/${id}/thumbnail`, { size, v: etag }, ending.signal).then(
        (address) => {
          made = address;
          if (ending.signal.aborted) URL.revokeObjectURL(address);
          else setUrl(address);
        },
        () => undefined,
      );
    });
    observer.observe(node);
    return () => {
      observer.disconnect();
      ending.abort();
      setUrl(undefined);
      if (made) URL.revokeObjectURL(made);
    };
  }, [id, etag, size]);
  return (
    <span ref={holder} className={`flex items-center justify-center ${large ? "size-full" : "size-8"}`}>
      {url ? <img src={url} alt="" className={`size-full object-cover ${large ? "" : "rounded-md"}`} /> : <Icon type={file.mime_type} large={large} />}
    </span>
  );
}
