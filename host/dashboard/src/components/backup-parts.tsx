import type { Backup } from "./backup-queries";
import { Badge, Dot } from "./ui/badge";

export function BackupState({ state }: { state: string }) {
  const tone = state === "ready" || state === "done" ? "good" : state === "failed" ? "bad" : "accent";
  return (
    <Badge tone={tone}>
      <Dot tone={tone} /> {state}
    </Badge>
  );
}

/** Whether it was ever loaded to see that it can be. */
export function Tested({ backup }: { backup: Backup }) {
  if (backup.verify_error) return <Badge tone="bad">damaged</Badge>;
  if (backup.verified_at) return <Badge tone="good">tested</Badge>;
  return <span className="text-muted">not yet</span>;
}
