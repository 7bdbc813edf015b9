/** A line as high as a word: requests of a day, those that failed in red. */
import { count, plural } from "@/lib/format";
import { Skeleton } from "./states";

const width = 96;
const height = 24;

export function Sparkline({ requests, errors }: { requests: number[] | undefined; errors: number[] | undefined }) {
  if (!requests) return <Skeleton className="h-6 w-24" />;
  const total = requests.reduce((sum, value) => sum + value, 0);
  const failed = (errors ?? []).reduce((sum, value) => sum + value, 0);
  const most = Math.max(1, ...requests);
  const wide = width / Math.max(1, requests.length);
  const high = (value: number) => (value === 0 ? 0 : Math.max(1.5, (value / most) * (height - 1)));
  return (
    <span className="flex items-center gap-2">
      <svg
        role="img"
        aria-label={`${plural(total, "request")} within 24 hours, ${count(failed)} failed`}
        width={width}
        height={height}
        viewBox={`0 0 ${width} ${height}`}
        className="shrink-0"
      >
        <line x1="0" x2={width} y1={height - 0.5} y2={height - 0.5} stroke="var(--border)" />
        {requests.map((value, place) => {
          const bad = errors?.[place] ?? 0;
          const at = { x: place * wide, width: Math.max(1, wide - 1), rx: 0.5 };
          return (
            // Hours have no other names than their places.
            // oxlint-disable-next-line react/no-array-index-key
            <g key={place}>
              <rect {...at} y={height - high(value)} height={high(value)} fill="var(--chart-1)" />
              {bad > 0 && <rect {...at} y={height - high(bad)} height={high(bad)} fill="var(--chart-4)" />}
            </g>
          );
        })}
      </svg>
      <span className="text-xs whitespace-nowrap tabular-nums">{count(total)}</span>
    </span>
  );
}
