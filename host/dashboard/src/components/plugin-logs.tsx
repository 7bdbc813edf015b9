import { Eraser, Pause, Play } from "lucide-react";
import { useMemo, useState } from "react";
import { useLogStream } from "@/lib/live";
import { count } from "@/lib/format";
import { LogView } from "./log-view";
import { Badge, Dot } from "./ui/badge";
import { Button } from "./ui/button";
import { Card } from "./ui/card";
import { Input, Select } from "./ui/input";

export const levels = ["trace", "debug", "info", "warn", "error", "critical"];

/** What a plugin writes, or all of them do, while it is written. */
export function PluginLogs({ project, plugin }: { project: string; plugin: string | undefined }) {
  const [level, setLevel] = useState("");
  const [text, setText] = useState("");
  const [paused, setPaused] = useState(false);
  const from = plugin === undefined ? "logs" : `plugins/${encodeURIComponent(plugin)}/logs`;
  const url = `/admin/v1/projects/${encodeURIComponent(project)}/${from}?follow=1&limit=500${level ? `&level=${level}` : ""}`;
  const { lines, state, clear } = useLogStream(url, paused);
  const shown = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    return wanted ? lines.filter((line) => `${line.message} ${line.request_id ?? ""}`.toLowerCase().includes(wanted)) : lines;
  }, [lines, text]);
  const tone = paused ? "warn" : state === "live" ? "good" : "plain";
  return (
    <Card className="overflow-hidden">
      <div className="flex flex-wrap items-center gap-2 border-b border-border p-3">
        <Input
          type="search"
          aria-label="Filter lines"
          placeholder="Filter by text or request"
          className="w-full sm:w-64"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <Select aria-label="Level" className="w-36" value={level} onChange={(event) => setLevel(event.target.value)}>
          <option value="">All levels</option>
          {levels.slice(1).map((name) => (
            <option key={name} value={name}>
              {name} and graver
            </option>
          ))}
        </Select>
        <Badge tone={tone} className="ml-auto">
          <Dot tone={tone} /> {paused ? "paused" : state === "live" ? "live" : state === "lost" ? "connecting again" : "connecting"}
        </Badge>
        <span className="text-xs text-muted tabular-nums">{count(shown.length)}</span>
        <Button size="sm" onClick={() => setPaused(!paused)}>
          {paused ? <Play aria-hidden /> : <Pause aria-hidden />} {paused ? "Go on" : "Pause"}
        </Button>
        <Button size="sm" variant="ghost" onClick={clear}>
          <Eraser aria-hidden /> Clear
        </Button>
      </div>
      <LogView
        lines={shown}
        empty={text ? "No line has this text." : "Nothing yet. Lines appear here as they are written."}
        ofMany={plugin === undefined}
        request={setText}
      />
    </Card>
  );
}
