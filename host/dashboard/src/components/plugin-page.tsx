import { useEffect, useRef, useState } from "react";
import { api, reason, take } from "@/api/client";
import { Card } from "@/components/ui/card";
import { Note } from "@/components/states";
import { useTheme } from "@/shell/theme";

/** A new token this long before the old one ends. */
const ahead = 60_000;

/**
 * A page that a plugin brings, in a frame without an origin: it reaches neither this page nor the
 * admin's cookie. What it gets instead is a token for the routes of its own plugin, told by
 * `postMessage` when the page says that it is ready, and again before the token ends.
 */
export function PluginPage({ project, plugin, path, title }: { project: string; plugin: string; path: string; title: string }) {
  const frame = useRef<HTMLIFrameElement>(null);
  const theme = useTheme();
  const shown = useRef(theme);
  const [error, setError] = useState<unknown>();

  useEffect(() => {
    let timer: number | undefined;
    let ended = false;
    const tell = (message: Record<string, unknown>) => {
      // The frame has no origin that could be named; what it gets is of use for its plugin alone.
      frame.current?.contentWindow?.postMessage(message, "*");
    };
    const hand = async (kind: "hello" | "token") => {
      try {
        const made = await take(
          api.POST("/admin/v1/projects/{project}/plugins/{plugin}/page-token", { params: { path: { project, plugin } } }),
        );
        if (ended) return;
        setError(undefined);
        const { token, expires_at } = made;
        tell({ atlashub: kind, token, expires_at, project, plugin, theme: shown.current });
        window.clearTimeout(timer);
        const left = new Date(expires_at).getTime() - Date.now() - ahead;
        timer = window.setTimeout(() => void hand("token"), Math.max(5_000, left));
      } catch (failure) {
        if (ended) return;
        setError(failure);
        timer = window.setTimeout(() => void hand(kind), 10_000);
      }
    };
    const hear = (event: MessageEvent) => {
      if (event.source === null || event.source !== frame.current?.contentWindow) return;
      const asked: unknown = event.data?.atlashub;
      if (asked === "ready") void hand("hello");
      if (asked === "renew") void hand("token");
    };
    window.addEventListener("message", hear);
    return () => {
      ended = true;
      window.clearTimeout(timer);
      window.removeEventListener("message", hear);
    };
  }, [project, plugin]);

  useEffect(() => {
    shown.current = theme;
    frame.current?.contentWindow?.postMessage({ atlashub: "theme", theme }, "*");
  }, [theme]);

  return (
    <Card className="overflow-hidden">
      {error !== undefined && (
        <Note tone="warn" className="m-3">
          The page cannot call its plugin at the moment: {reason(error)}
        </Note>
      )}
      <iframe
        ref={frame}
        title={title}
        src={`/p/${encodeURIComponent(project)}${path}`}
        sandbox="allow-scripts allow-forms"
        referrerPolicy="no-referrer"
        className="block h-[calc(100dvh-16rem)] min-h-96 w-full bg-background"
      />
    </Card>
  );
}
