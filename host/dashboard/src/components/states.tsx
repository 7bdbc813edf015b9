import { RotateCw, TriangleAlert } from "lucide-react";
import type { ComponentType, ReactNode } from "react";
import { ApiError, reason } from "@/api/client";
import { cn } from "@/lib/cn";
import { Marked } from "./text";
import { Button } from "./ui/button";

/** There is nothing here yet, and what to do about it. */
export function Empty({
  icon: Icon,
  title,
  children,
  action,
  className,
}: {
  icon?: ComponentType<{ className?: string }>;
  title: string;
  children?: ReactNode;
  action?: ReactNode;
  className?: string;
}) {
  return (
    <div className={cn("grid justify-items-center gap-2 px-6 py-14 text-center", className)}>
      {Icon && (
        <div className="mb-1 grid size-11 place-items-center rounded-xl bg-accent text-accent-foreground">
          <Icon className="size-5" />
        </div>
      )}
      <p className="font-medium">{title}</p>
      {children && <div className="max-w-md text-[0.8125rem] text-muted">{children}</div>}
      {action && <div className="mt-2">{action}</div>}
    </div>
  );
}

/** What went wrong, and what to do. */
export function Failure({ error, retry, className }: { error: unknown; retry?: () => void; className?: string }) {
  const id = error instanceof ApiError ? error.requestId : undefined;
  return (
    <div role="alert" className={cn("grid justify-items-center gap-2 px-6 py-12 text-center", className)}>
      <div className="mb-1 grid size-11 place-items-center rounded-xl bg-bad-soft text-bad">
        <TriangleAlert className="size-5" aria-hidden />
      </div>
      <p className="font-medium">This could not be shown</p>
      <p className="max-w-lg text-[0.8125rem] break-words text-muted">
        <Marked text={reason(error)} />
      </p>
      {id && <p className="font-mono text-xs text-muted">request {id}</p>}
      {retry && (
        <Button size="sm" className="mt-2" onClick={retry}>
          <RotateCw aria-hidden /> Try again
        </Button>
      )}
    </div>
  );
}

/** Something that was refused, inside of a form. */
export function Refusal({ error, className }: { error: unknown; className?: string }) {
  if (!error) return null;
  return (
    <p role="alert" className={cn("flex gap-2 rounded-md bg-bad-soft px-3 py-2 text-[0.8125rem] break-words text-bad", className)}>
      <TriangleAlert className="mt-0.5 size-4 shrink-0" aria-hidden />
      <span className="min-w-0">
        <Marked text={reason(error)} />
      </span>
    </p>
  );
}

export function Note({ tone = "accent", children, className }: { tone?: "accent" | "warn"; children: ReactNode; className?: string }) {
  return (
    <div
      className={cn(
        "rounded-md px-3 py-2 text-[0.8125rem]",
        tone === "warn" ? "bg-warn-soft text-warn" : "bg-accent text-accent-foreground",
        className,
      )}
    >
      {children}
    </div>
  );
}

export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={cn("animate-pulse rounded-md bg-raised", className)} />;
}

export function Loading({ rows = 5 }: { rows?: number }) {
  return (
    <div role="status" aria-label="Loading" className="grid gap-3 p-4">
      {Array.from({ length: rows }, (_, row) => (
        <Skeleton key={row} className="h-5" />
      ))}
    </div>
  );
}
