/**
 * Notifications as they come. `EventSource` sends no token, so the stream is
 * read by hand; it is begun again when it ends, from where it was.
 */
import { useEffect } from "react";
import { say } from "@/components/toast";
import { ask } from "@/lib/api";
import { client, filesChanged } from "@/lib/queries";

const FIRST_PAUSE = 1_000;
const LONGEST_PAUSE = 30_000;

/** The events in a stream, by their fields (HTML standard, server-sent events). */
async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<{ id: string; name: string; data: string }> {
  const reader = body.pipeThrough(new TextDecoderStream() as unknown as ReadableWritablePair<string, Uint8Array>).getReader();
  let rest = "";
  let event = { id: "", name: "message", data: [] as string[] };
  for (;;) {
    // oxlint-disable-next-line no-await-in-loop
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split(/\r\n|\n|\r/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (event.data.length > 0) yield { ...event, data: event.data.join("\n") };
        event = { id: event.id, name: "message", data: [] };
        continue;
      }
      const [, field = "", text = ""] = /^([^:]*):? ?(.*)$/.exec(line) ?? [];
      if (field === "data") event.data.push(text);
      if (field === "event") event.name = text;
      if (field === "id") event.id = text;
    }
  }
}

async function listen(signal: AbortSignal): Promise<void> {
  let last = "";
  let pause = FIRST_PAUSE;
  while (!signal.aborted) {
    try {
      // oxlint-disable-next-line no-await-in-loop
      const response = await ask("GET", "/notifications/stream", { headers: last ? { "last-event-id": last } : {}, signal });
      pause = FIRST_PAUSE;
      if (!response.body) return;
      // oxlint-disable-next-line no-await-in-loop
      for await (const event of events(response.body)) {
        last = event.id || last;
        heard(event.data);
      }
    } catch {
      // The line broke, or the server is not there: later.
    }
    // oxlint-disable-next-line no-await-in-loop
    await new Promise((resolve) => {
      window.setTimeout(resolve, pause);
    });
    pause = Math.min(pause * 2, LONGEST_PAUSE);
  }
}

function heard(data: string): void {
  void client.invalidateQueries({ queryKey: ["notices"] });
  try {
    const notice = JSON.parse(data) as { title?: unknown; kind?: unknown };
    if (typeof notice.title === "string") {
      say(notice.title);
      void filesChanged();
    }
  } catch {
    // Not one of those that are shown.
  }
}

export function useLive(on: boolean): void {
  useEffect(() => {
    if (!on) return;
    const ending = new AbortController();
    void listen(ending.signal);
    return () => ending.abort();
  }, [on]);
}
