import { useInfiniteQuery } from "@tanstack/react-query";
import { Download, RotateCcw, Upload } from "lucide-react";
import { useRef } from "react";
import { t } from "@/i18n";
import { ask, call } from "@/lib/api";
import { download } from "@/lib/bytes-of";
import { bytes, whole } from "@/lib/format";
import { client, filesChanged, pages, useFile } from "@/lib/queries";
import type { FileItem, Page, Version } from "@/lib/types";
import { Dialog } from "./dialog";
import { Problem, useDoing } from "./form";
import { More } from "./more";
import { Failed, Waiting } from "./states";
import { complain, say } from "./toast";

export function VersionsDialog({ file, close }: { file: FileItem; close: () => void }) {
  const key = ["file", file.id, "versions"];
  const versions = useInfiniteQuery({
    queryKey: key,
    queryFn: async ({ pageParam }) => call<Page<Version>>("GET", `/files/${file.id}/versions`, { params: { limit: 100, cursor: pageParam } }),
    ...pages,
    select: ({ pages: all }) => all.flatMap(({ items }) => items),
  });
  const now = useFile(file.id);
  const { busy, problem, run } = useDoing();
  const input = useRef<HTMLInputElement>(null);
  const mayWrite = file.role !== "viewer";
  const changed = async () => {
    await client.invalidateQueries({ queryKey: key });
    await filesChanged();
  };
  const restore = (version: number) =>
    run(async () => {
      await call("POST", `/files/${file.id}/versions/${version}/restore`);
      await changed();
      say(t("version_restored", { version }));
    });
  const replace = (chosen: File) =>
    run(async () => {
      // Whoever changed it meanwhile is not overwritten unseen.
      await ask("PUT", `/files/${file.id}/content`, { body: chosen, headers: { "if-match": now.data?.etag ?? file.etag } });
      await changed();
    });
  return (
    <Dialog
      title={t("versions_of", { name: file.filename })}
      onClose={close}
      footer={
        mayWrite && (
          <>
            <input
              ref={input}
              type="file"
              hidden
              onChange={(event) => {
                const [chosen] = event.target.files ?? [];
                event.target.value = "";
                if (chosen) void replace(chosen);
              }}
            />
            <button type="button" className="button" disabled={busy} onClick={() => input.current?.click()}>
              <Upload size={18} aria-hidden />
              {t("new_version")}
            </button>
          </>
        )
      }
    >
      <Problem text={problem} />
      {versions.isError && !versions.data ? (
        <Failed error={versions.error} again={() => void versions.refetch()} />
      ) : versions.data ? (
        <ul className="divide-y divide-border" aria-label={t("versions")}>
          {versions.data.map((version) => (
            <li key={version.version} className="flex items-center gap-2 py-2">
              <div className="min-w-0 flex-1">
                <div className="font-medium">
                  {t("version", { version: version.version })} {version.current && <span className="chip ml-1">{t("present")}</span>}
                </div>
                <div className="text-sm text-muted">
                  {whole(version.created_at)} · {bytes(version.size)}
                </div>
              </div>
              <button
                type="button"
                className="icon-button"
                aria-label={t("download_version", { version: version.version })}
                onClick={() => void download(file.id, file.filename, version.version).catch(complain)}
              >
                <Download size={18} aria-hidden />
              </button>
              {!version.current && mayWrite && (
                <button type="button" className="icon-button" disabled={busy} aria-label={t("restore_version", { version: version.version })} onClick={() => void restore(version.version)}>
                  <RotateCcw size={18} aria-hidden />
                </button>
              )}
            </li>
          ))}
        </ul>
      ) : (
        <Waiting />
      )}
      {versions.isFetchNextPageError && <Failed error={versions.error} again={() => void versions.fetchNextPage()} />}
      <More on={versions.hasNextPage && !versions.isFetchNextPageError} more={() => void versions.fetchNextPage()} />
    </Dialog>
  );
}
