import type { ReactNode } from "react";
import { Button } from "./ui/button";

/**
 * What a list that grows is filtered by: typed words are taken by `apply` when
 * they are sent, the rest by the controls themselves.
 */
export function Filters<K extends string>({ typed, apply, action = "Filter", children, after }: {
  /** The names of the fields that are typed into. */
  typed: readonly K[];
  apply: (words: { [name in K]?: string | undefined }) => void;
  /** What the button says that takes them. */
  action?: string;
  children: ReactNode;
  /** What stands at the end of the line. */
  after?: ReactNode;
}) {
  return (
    <form
      className="flex flex-wrap items-center gap-2 border-b border-border p-3"
      onSubmit={(event) => {
        event.preventDefault();
        const form = new FormData(event.currentTarget);
        const text = (name: string) => String(form.get(name) ?? "").trim() || undefined;
        apply(Object.fromEntries(typed.map((name) => [name, text(name)])) as { [name in K]?: string | undefined });
      }}
    >
      {children}
      <Button type="submit" size="sm">
        {action}
      </Button>
      <span className="ml-auto flex items-center gap-2">{after}</span>
    </form>
  );
}

/** Whether a list is asked for again while it is looked at. */
export function LiveSwitch({ live, change }: { live: boolean; change: (live: boolean) => void }) {
  return (
    <Button size="sm" variant="ghost" aria-pressed={live} onClick={() => change(!live)}>
      <span aria-hidden className={`size-2 rounded-full ${live ? "bg-good" : "bg-muted"}`} /> {live ? "Live" : "Paused"}
    </Button>
  );
}
