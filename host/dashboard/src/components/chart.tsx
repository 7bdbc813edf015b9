/** Charts in the colours of the page; loaded with the pages that have some. */
import { Area, AreaChart, Bar, BarChart, CartesianGrid, ResponsiveContainer, Tooltip, XAxis, YAxis } from "recharts";

export interface Series {
  key: string;
  name: string;
  colour: 1 | 2 | 3 | 4;
}

const axis = { fontSize: 11, stroke: "var(--muted)", tickLine: false, axisLine: false } as const;
const tip = {
  contentStyle: {
    background: "var(--panel)",
    border: "1px solid var(--border)",
    borderRadius: 8,
    fontSize: 12,
    color: "var(--foreground)",
  },
  itemStyle: { color: "var(--foreground)" },
  labelStyle: { color: "var(--muted)" },
  cursor: { fill: "var(--raised)", stroke: "var(--border)" },
} as const;

export function Lines({ data, x, series, format, label }: { data: object[]; x: string; series: Series[]; format: (value: number) => string; label: string }) {
  if (data.length < 2) {
    return <p className="grid h-48 place-items-center text-[0.8125rem] text-muted">Measuring. The line begins in a few seconds.</p>;
  }
  return (
    <div role="img" aria-label={label} className="h-48">
      <ResponsiveContainer width="100%" height="100%">
        <AreaChart data={data} margin={{ top: 8, right: 8, bottom: 0, left: 0 }} accessibilityLayer={false}>
          <CartesianGrid stroke="var(--border)" strokeDasharray="3 3" vertical={false} />
          <XAxis dataKey={x} {...axis} minTickGap={48} />
          <YAxis {...axis} width={52} tickFormatter={format} />
          <Tooltip {...tip} formatter={(value) => format(Number(value))} />
          {series.map(({ key, name, colour }) => (
            <Area
              key={key}
              dataKey={key}
              name={name}
              stroke={`var(--chart-${colour})`}
              fill={`var(--chart-${colour})`}
              fillOpacity={0.12}
              strokeWidth={2}
              isAnimationActive={false}
              dot={false}
            />
          ))}
        </AreaChart>
      </ResponsiveContainer>
    </div>
  );
}

export function Bars({ data, x, series, format, label }: { data: object[]; x: string; series: Series[]; format: (value: number) => string; label: string }) {
  return (
    <div role="img" aria-label={label} className="h-48">
      <ResponsiveContainer width="100%" height="100%">
        <BarChart data={data} margin={{ top: 8, right: 8, bottom: 0, left: 0 }} accessibilityLayer={false}>
          <CartesianGrid stroke="var(--border)" strokeDasharray="3 3" vertical={false} />
          <XAxis dataKey={x} {...axis} interval={0} tickFormatter={(text: string) => (text.length > 12 ? `${text.slice(0, 11)}…` : text)} />
          <YAxis {...axis} width={52} tickFormatter={format} />
          <Tooltip {...tip} formatter={(value) => format(Number(value))} />
          {series.map(({ key, name, colour }) => (
            <Bar key={key} dataKey={key} name={name} fill={`var(--chart-${colour})`} radius={[3, 3, 0, 0]} maxBarSize={36} isAnimationActive={false} />
          ))}
        </BarChart>
      </ResponsiveContainer>
    </div>
  );
}
