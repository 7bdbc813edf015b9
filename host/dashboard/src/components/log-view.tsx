import { useVirtualizer } from "@tanstack/react-virtual";
import { useEffect, useRef } from "react";
import type { LogLine } from "@/lib/live";
import { cn } from "@/lib/cn";
import { moment } from "@/lib/format";

const tones: Record<string, string> = {
  trace: "text-muted",
  debug: "text-muted",
  info: "text-accent-foreground",
  warn: "text-warn",
  error: "text-bad",
  critical: "text-bad font-semibold",
};

const clock = (at: string) => new Date(at).toLocaleTimeString("en-GB", { hour12: false }) + at.slice(19, 23).replace("Z", "");

/** Lines of a log, however many; stays at the end while one is there. */
export function LogView({ lines, empty, request, ofMany = false }: { lines: LogLine[]; empty: string; request?: (id: string) => void; ofMany?: boolean }) {
  const box = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => box.current,
    estimateSize: () => 24,
    overscan: 20,
    getItemKey: (index) => lines[index]?.seq ?? index,
  });
  useEffect(() => {
    if (atEnd.current && lines.length > 0) rows.scrollToIndex(lines.length - 1, { align: "end" });
  }, [lines, rows]);
  return (
    <div
      ref={box}
      role="log"
      aria-label="Lines"
      // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex
      tabIndex={0}
      className="h-[min(32rem,60vh)] overflow-auto bg-background font-mono text-xs"
      onScroll={(event) => {
        const { scrollHeight, scrollTop, clientHeight } = event.currentTarget;
        atEnd.current = scrollHeight - scrollTop - clientHeight < 40;
      }}
    >
      {lines.length === 0 ? (
        <p className="p-6 text-center font-sans text-[0.8125rem] text-muted">{empty}</p>
      ) : (
        <div className="relative w-full" style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map((item) => {
            const line = lines[item.index];
            if (!line) return null;
            return (
              <div
                key={item.key}
                data-index={item.index}
                ref={rows.measureElement}
                className="absolute top-0 left-0 flex w-full flex-wrap gap-x-3 border-b border-border/50 px-3 py-1 sm:flex-nowrap"
                style={{ transform: `translateY(${item.start}px)` }}
              >
                <time dateTime={line.at} title={moment(line.at)} className="shrink-0 text-muted">
                  {clock(line.at)}
                </time>
                <span className={cn("w-14 shrink-0", tones[line.level])}>{line.level}</span>
                {ofMany && (
                  <span className="w-28 shrink-0 truncate text-muted" title={line.plugin}>
                    {line.plugin}
                  </span>
                )}
                <span className="hidden w-12 shrink-0 text-muted lg:block">{line.source}</span>
                <span className="min-w-0 flex-1 basis-full break-words whitespace-pre-wrap sm:basis-auto">{line.message}</span>
                {line.request_id && request && (
                  <button
                    type="button"
                    className="hidden shrink-0 text-muted hover:underline lg:block"
                    title={`All lines of the request ${line.request_id}`}
                    onClick={() => line.request_id && request(line.request_id)}
                  >
                    {line.request_id.slice(-8)}
                  </button>
                )}
              </div>
            );
          })}
        </div>
      )}
    </div>
  );
}
