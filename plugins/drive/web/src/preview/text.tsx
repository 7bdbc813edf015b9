import { useEffect, useState } from "react";
import { Waiting } from "@/components/states";
import { t } from "@/i18n";
import { ask } from "@/lib/api";
import { explain } from "@/lib/explain";
import { bytes } from "@/lib/format";
import type { FileItem } from "@/lib/types";
import { Nothing } from "./preview";

/** How much of a text is shown. */
const MOST = 512 * 1024;

/** Text, and markup as the text that it is. */
export default function Text({ file }: { file: FileItem }) {
  const [content, setContent] = useState<string>();
  const [problem, setProblem] = useState<string>();
  useEffect(() => {
    const ending = new AbortController();
    const part = file.size > MOST ? { range: `bytes=0-${MOST - 1}` } : undefined;
    ask("GET", `/files/${file.id}/download`, { params: { disposition: "attachment" }, headers: part, signal: ending.signal })
      .then(async (response) => setContent(await response.text()))
      .catch((error: unknown) => {
        if (!ending.signal.aborted) setProblem(explain(error));
      });
    return () => ending.abort();
  }, [file.id, file.size]);
  if (problem) return <Nothing file={file} problem={problem} />;
  if (content === undefined) return <Waiting />;
  return (
    <div className="mx-auto max-w-4xl p-4 md:p-8">
      {/* Scrolls by keys, too. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre tabIndex={0} className="card overflow-x-auto p-5 font-mono text-sm leading-relaxed whitespace-pre-wrap [overflow-wrap:anywhere]">
        {content}
      </pre>
      {file.size > MOST && <p className="mt-3 text-muted">{t("text_part", { size: bytes(MOST) })}</p>}
    </div>
  );
}
