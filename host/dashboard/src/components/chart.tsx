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
  /** Of what the units are powers, where that is not ten. */
  powers?: number | undefined;
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

/** Round numbers of a unit that is no power of ten, from nothing to the most there is. */
function roundTicks(data: ChartProps["data"], drawn: Drawn[], powers: number): number[] {
  const most = Math.max(1, ...data.flatMap((point) => drawn.map(({ key }) => point[key] ?? 0)));
  const unit = powers ** Math.floor(Math.log(most) / Math.log(powers));
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500].map((step) => step * unit);
  const step = steps.find((one) => most / one <= 4) ?? powers * unit;
  return Array.from({ length: Math.ceil(most / step) + 1 }, (_, place) => place * step);
}

export default function Chart({ data, drawn, format, powers, tick, moment, label }: ChartProps) {
  const ticks = powers === undefined ? undefined : roundTicks(data, drawn, powers);
  return (
    <div role="img" aria-label={label} className="h-44">
      <ResponsiveContainer width="100%" height="100%">
        <ComposedChart data={data} margin={{ top: 8, right: 4, bottom: 0, left: 0 }} accessibilityLayer={false} barCategoryGap={data.length > 62 ? 0 : "12%"}>
          <CartesianGrid stroke="var(--border)" strokeDasharray="3 3" vertical={false} />
          <XAxis dataKey="at" {...axis} minTickGap={40} tickFormatter={tick} />
          <YAxis
            {...axis}
            width={56}
            tickFormatter={format}
            allowDecimals={!noFractions(data, drawn)}
            {...(ticks ? { ticks, domain: [0, ticks.at(-1) ?? 1] } : { tickCount: 4 })}
          />
          <Tooltip {...tip} isAnimationActive={false} formatter={(value) => format(Number(value))} labelFormatter={(at) => moment(Number(at))} />
          {drawn.map(({ key, name, colour, as }) => {
            const paint = `var(--chart-${colour})`;
            const common = { dataKey: key, name, isAnimationActive: false } as const;
            if (as === "bar") return <Bar key={key} {...common} stackId="bars" fill={paint} maxBarSize={28} shapeRendering="crispEdges" />;
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
