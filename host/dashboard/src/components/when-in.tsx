import { localZone, momentIn } from "@/lib/cron";

/** A moment as clocks here show it, and below as they do in another zone. */
export function WhenIn({ at, zone }: { at: string; zone: string }) {
  return (
    <time dateTime={at} className="block text-xs leading-snug whitespace-nowrap tabular-nums">
      {momentIn(at, undefined)}
      {zone !== localZone() && (
        <span className="block text-muted">
          {momentIn(at, zone)} <span className="text-[0.6875rem]">{zone}</span>
        </span>
      )}
    </time>
  );
}
