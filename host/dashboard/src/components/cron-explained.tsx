import { useQuery } from "@tanstack/react-query";
import { CalendarClock } from "lucide-react";
import { useEffect, useState } from "react";
import { cronInWords, localZone, momentIn } from "@/lib/cron";
import { explainQuery } from "./cron-queries";
import { Refusal, Skeleton } from "./states";

/** A value once it has stood still. */
function useSettled<T>(value: T): T {
  const [settled, setSettled] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), 250);
    return () => clearTimeout(timer);
  }, [value]);
  return settled;
}

/** What an expression says in words, and its next times by both clocks. */
export function Explained({ project, schedule, timezone, count = 5 }: { project: string; schedule: string; timezone: string; count?: number }) {
  const asked = useSettled(schedule);
  const zone = useSettled(timezone);
  const { data, error, isPlaceholderData } = useQuery(explainQuery(project, asked, zone, count));
  const words = cronInWords(schedule);
  const elsewhere = zone !== localZone();
  return (
    <section aria-label="What the schedule says" className="rounded-md border border-border bg-background">
      <p className="flex items-start gap-2 px-3 pt-2.5 text-sm font-medium">
        <CalendarClock className="mt-0.5 size-4 shrink-0 text-muted" aria-hidden />
        <span data-testid="in words">{words ? `${words}.` : "An expression of its own; its times are below."}</span>
      </p>
      {error ? (
        <Refusal error={error} className="m-3" />
      ) : (
        <table className={`m-1 w-[calc(100%-0.5rem)] text-xs tabular-nums ${isPlaceholderData ? "opacity-60" : ""}`} aria-label="Next times">
          <thead>
            <tr className="text-left text-muted">
              <th scope="col" className="px-2 py-1.5 font-medium">
                Here{elsewhere ? "" : ` and in ${zone}`}
              </th>
              {elsewhere && (
                <th scope="col" className="px-2 py-1.5 font-medium break-all">
                  In {zone}
                </th>
              )}
            </tr>
          </thead>
          <tbody>
            {data
              ? data.next.map((at) => (
                  <tr key={at}>
                    <td className="px-2 py-1">{momentIn(at, undefined)}</td>
                    {elsewhere && <td className="px-2 py-1">{momentIn(at, zone)}</td>}
                  </tr>
                ))
              : Array.from({ length: count }, (_, row) => (
                  <tr key={row}>
                    <td className="px-2 py-1" colSpan={2}>
                      <Skeleton className="h-4" />
                    </td>
                  </tr>
                ))}
            {data?.next.length === 0 && (
              <tr>
                <td className="px-2 py-1 text-warn" colSpan={2}>
                  It never comes.
                </td>
              </tr>
            )}
          </tbody>
        </table>
      )}
    </section>
  );
}
