import type { ReactNode } from "react";
import { cn } from "@/lib/cn";
import { Skeleton } from "./states";
import { Card } from "./ui/card";

export function Stat({ name, value, note, tone, children }: { name: string; value: ReactNode; note?: ReactNode; tone?: "bad" | "warn"; children?: ReactNode }) {
  return (
    <Card className="px-4 py-3.5">
      <p className="text-xs font-medium text-muted">{name}</p>
      <div className={cn("mt-1 truncate text-xl font-semibold tracking-tight tabular-nums", tone === "bad" && "text-bad", tone === "warn" && "text-warn")}>
        {value ?? <Skeleton className="h-7 w-20" />}
      </div>
      {note && <p className="mt-0.5 truncate text-xs text-muted">{note}</p>}
      {children && <div className="mt-2">{children}</div>}
    </Card>
  );
}

/** How much of something is used; `plain` where much of it is nothing to worry about. */
export function Meter({ value, of, label, plain }: { value: number; of: number; label: string; plain?: boolean }) {
  const part = of > 0 ? Math.min(100, (value / of) * 100) : 0;
  return (
    <div role="meter" aria-label={label} aria-valuemin={0} aria-valuemax={of} aria-valuenow={Math.min(value, of)} className="h-1.5 overflow-hidden rounded-full bg-raised">
      <div className={cn("h-full rounded-full", plain ? "bg-primary" : part > 90 ? "bg-bad" : part > 75 ? "bg-warn" : "bg-primary")} style={{ width: `${part}%` }} />
    </div>
  );
}
