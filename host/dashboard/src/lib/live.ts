import { useEffect, useRef, useState } from "react";
import { renewed } from "@/api/client";

export interface LogLine {
  seq: number;
  plugin: string;
  at: string;
  level: string;
  source: string;
  request_id: string | null;
  message: string;
}

const most = 2_000;

/** Lines of a plugin as they come; the browser finds a stream again that broke. */
export function useLogStream(url: string, paused: boolean): { lines: LogLine[]; state: "waiting" | "live" | "lost"; clear: () => void } {
  const [lines, setLines] = useState<LogLine[]>([]);
  const [state, setState] = useState<"waiting" | "live" | "lost">("waiting");
  const held = useRef<LogLine[]>([]);
  const stopped = useRef(paused);
  stopped.current = paused;

  useEffect(() => {
    setLines([]);
    held.current = [];
    let source: EventSource | undefined;
    let retry: ReturnType<typeof setTimeout> | undefined;
    let last = 0;
    let left = false;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const flush = () => {
      timer = undefined;
      if (stopped.current || held.current.length === 0) return;
      const fresh = held.current;
      held.current = [];
      setLines((old) => [...old, ...fresh].slice(-most));
    };
    const open = () => {
      source = new EventSource(url);
      source.addEventListener("open", () => setState("live"));
      source.addEventListener("message", (event: MessageEvent<string>) => {
        const line = JSON.parse(event.data) as LogLine;
        // A stream that is opened anew begins with past lines.
        if (line.seq <= last) return;
        last = line.seq;
        held.current = [...held.current, line].slice(-most);
        timer ??= setTimeout(flush, 100);
      });
      source.addEventListener("error", () => {
        setState("lost");
        // The browser gives up after a refusal: the session may be over.
        if (source?.readyState === EventSource.CLOSED)
          retry = setTimeout(() => {
            renewed().then(
              () => !left && open(),
              () => {
                if (!left) retry = setTimeout(open, 2_000);
              },
            );
          }, 2_000);
      });
    };
    open();
    return () => {
      left = true;
      source?.close();
      clearTimeout(retry);
      clearTimeout(timer);
    };
  }, [url]);

  useEffect(() => {
    if (paused || held.current.length === 0) return;
    const fresh = held.current;
    held.current = [];
    setLines((old) => [...old, ...fresh].slice(-most));
  }, [paused]);
  return { lines, state, clear: () => setLines([]) };
}
