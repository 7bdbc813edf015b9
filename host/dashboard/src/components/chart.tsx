/** Charts in the colours of the page; loaded when there is something to draw. */
import { Area, Bar, CartesianGrid, ComposedChart, Line, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";

/** One of the things that a chart shows. */
export interface Drawn {
  key: string;
  name: string;
  colour: 1 | 2 | 3 | 4;
  /** Bars stand on each other, lines and areas beside each other; a level holds until the next. */
  as: "bar" | "line" | "area" | "level";
}

export interface ChartProps {
  /** Times in `at`, milliseconds; numbers, or null where there is none. */
  data: Record<string, number | null>[];
  drawn: Drawn[];
  /** Of numbers. */
  format: (value: number) => string;
  /** Of times at the edge, and of times in full. */
  tick: (at: number) => string;
  moment: (at: number) => string;
  label: string;
}

const axis = { fontSize: 11, stroke: "var(--muted)", tickLine: false, axisLine: false } as const;
const tip = {
  contentStyle: {
    background: "var(--panel)",
    border: "1px solid var(--border)",
    borderRadius: 8,
    fontSize: 12,
    color: "var(--foreground)",
    padding: "6px 10px",
  },
  itemStyle: { color: "var(--foreground)", padding: 0 },
  labelStyle: { color: "var(--muted)", marginBottom: 2 },
  cursor: { fill: "var(--raised)", stroke: "var(--border)" },
} as const;

/** The ends of an axis and what lies between, so that no number stands there twice. */
const noFractions = (data: ChartProps["data"], drawn: Drawn[]): boolean => {
  const stacked = drawn.some(({ as }) => as === "bar");
  return stacked && data.every((point) => drawn.every(({ key }) => (point[key] ?? 0) < 8));
};

/** A point whose neighbours have none would be no line at all. */
function lonely(data: ChartProps["data"], key: string, colour: string) {
  return function Dot({ cx, cy, index }: { cx?: number; cy?: number; index?: number }) {
    const place = index ?? 0;
    const alone = (data[place - 1]?.[key] ?? null) === null && (data[place + 1]?.[key] ?? null) === null;
    const there = (data[place]?.[key] ?? null) !== null && cx !== undefined && cy !== undefined;
    return there && alone ? <circle key={`${key}-${place}`} cx={cx} cy={cy} r={2.5} fill={colour} /> : <g key={`${key}-${place}`} />;
  };
}

export default function Chart({ data, drawn, format, tick, moment, label }: ChartProps) {
  return (
    <div role="img" aria-label={label} className="h-44">
      <ResponsiveContainer width="100%" height="100%">
        <ComposedChart data={data} margin={{ top: 8, right: 4, bottom: 0, left: 0 }} accessibilityLayer={false} barCategoryGap="12%">
          <CartesianGrid stroke="var(--border)" strokeDasharray="3 3" vertical={false} />
          <XAxis dataKey="at" {...axis} minTickGap={40} tickFormatter={tick} />
          <YAxis {...axis} width={52} tickFormatter={format} tickCount={4} allowDecimals={!noFractions(data, drawn)} />
          <Tooltip {...tip} isAnimationActive={false} formatter={(value) => format(Number(value))} labelFormatter={(at) => moment(Number(at))} />
          {drawn.map(({ key, name, colour, as }) => {
            const paint = `var(--chart-${colour})`;
            const common = { dataKey: key, name, isAnimationActive: false } as const;
            if (as === "bar") return <Bar key={key} {...common} stackId="bars" fill={paint} maxBarSize={28} />;
            if (as === "line") {
              return <Line key={key} {...common} stroke={paint} strokeWidth={2} dot={lonely(data, key, paint)} activeDot={{ r: 3 }} />;
            }
            return (
              <Area
                key={key}
                {...common}
                type={as === "level" ? "stepAfter" : "linear"}
                stroke={paint}
                fill={paint}
                fillOpacity={0.12}
                strokeWidth={2}
                dot={lonely(data, key, paint)}
              />
            );
          })}
        </ComposedChart>
      </ResponsiveContainer>
    </div>
  );
}
