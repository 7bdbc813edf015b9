import { cn } from "@/lib/cn";

/** How far something is; without an end that is known it only says that it goes on. */
export function Progress({ value, of, label, className }: { value?: number | undefined; of?: number | undefined; label: string; className?: string }) {
  const known = value !== undefined && of !== undefined && of > 0;
  const part = known ? Math.min(100, (value / of) * 100) : 35;
  return (
    <div
      role="progressbar"
      aria-label={label}
      {...(known ? { "aria-valuemin": 0, "aria-valuemax": of, "aria-valuenow": Math.min(value, of) } : {})}
      className={cn("h-1.5 overflow-hidden rounded-full bg-raised", className)}
    >
      <div className={cn("h-full rounded-full bg-primary", known ? "transition-[width]" : "animate-slide motion-reduce:w-full! motion-reduce:animate-none motion-reduce:opacity-60")} style={{ width: `${part}%` }} />
    </div>
  );
}
