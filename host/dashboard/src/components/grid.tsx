/**
 * Rows and columns of values, however many rows: only those in view are in
 * the page. Cells are gone through with the arrow keys; where they may be
 * edited, Enter or a double click begins, Enter ends, Escape gives up.
 */
import { useVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp, KeyRound, Link2 } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { cn } from "@/lib/cn";

export interface GridColumn {
  name: string;
  note?: string;
  key?: boolean;
  /** Leads to a row of another table. */
  refers?: boolean;
  editable?: boolean;
}

export interface Place {
  /** Among all rows, also those before the first that is there. */
  row: number;
  column: number;
}

interface Props {
  label: string;
  columns: GridColumn[];
  rows: readonly (readonly unknown[])[];
  /** How many rows come before them, which are not there. */
  offset?: number;
  /** Which is brought into view and selected, when it or `asked` changes. */
  target?: number | undefined;
  /** How often somebody has asked for a row. */
  asked?: number;
  sort?: { column: string; descending: boolean } | undefined;
  onSort?: ((column: string) => void) | undefined;
  onEnd?: (() => void) | undefined;
  /** Somebody looks at where no rows are yet, from `row` on. */
  onStart?: ((row: number) => void) | undefined;
  /** With the row as it was when editing began: rows may have moved since. */
  onEdit?: ((place: Place, value: string | null, row: readonly unknown[]) => Promise<boolean>) | undefined;
  onSelect?: ((place: Place | undefined) => void) | undefined;
  follow?: ((place: Place) => ReactNode) | undefined;
  /** Before each row. */
  lead?: ((row: number) => ReactNode) | undefined;
  className?: string;
  /** Pixels, where the class gives none. */
  height?: number;
}

export function shown(value: unknown): string {
  if (value === null || value === undefined) return "NULL";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}

/** Pixels, as the class of a row has it. */
const rowHeight = 33;

/** Rows that can be scrolled to before a target: browsers know no boxes of any height. */
const above = 100_000;

const widthOf = (column: GridColumn, rows: readonly (readonly unknown[])[], place: number) => {
  let longest = column.name.length + (column.note?.length ?? 0) + 4;
  for (const row of rows.slice(0, 60)) longest = Math.max(longest, Math.min(48, shown(row[place]).length));
  return Math.max(90, Math.min(360, longest * 7.4 + 26));
};

export function Grid({ label, columns, rows, offset = 0, target, asked, sort, onSort, onEnd, onStart, onEdit, onSelect, follow, lead, className, height }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const [at, setAt] = useState<Place>();
  const [editing, setEditing] = useState<string>();
  const begun = useRef<readonly unknown[]>(undefined);
  const [saving, setSaving] = useState(false);
  // The first page decides; columns that jump while one scrolls cannot be read.
  const first = rows.length > 0;
  const names = columns.map((column) => column.name).join("\u0000");
  // oxlint-disable-next-line react/exhaustive-deps
  const widths = useMemo(() => columns.map((column, place) => widthOf(column, rows, place)), [names, first]);
  // Numbers of rows are read where one can go to them.
  const leadWidth = onStart ? 96 : lead ? 44 : 52;
  const total = widths.reduce((sum, width) => sum + width, leadWidth);
  const base = Math.max(0, (target ?? 0) - above);
  const end = offset + rows.length;
  const virtual = useVirtualizer({
    count: end - base,
    getScrollElement: () => box.current,
    estimateSize: () => rowHeight,
    overscan: 12,
  });
  const items = virtual.getVirtualItems();
  const top = base + (items[0]?.index ?? 0);
  const last = base + (items.at(-1)?.index ?? 0);
  useEffect(() => {
    if (rows.length > 0 && last >= end - 20) onEnd?.();
  }, [last, rows.length, end, onEnd]);
  useEffect(() => {
    if (rows.length === 0 || offset === 0 || !onStart) return undefined;
    // Once who scrolls is still: on a long way up the rows between are of no use.
    const timer = setTimeout(() => {
      const seen = base + Math.floor((box.current?.scrollTop ?? 0) / rowHeight);
      if (seen - 20 < offset) onStart(seen);
    }, 120);
    return () => clearTimeout(timer);
  }, [top, rows.length, base, offset, onStart]);
  useLayoutEffect(() => {
    if (target === undefined || !first || target < offset || target >= end) return;
    virtual.scrollToIndex(target - base, { align: "center" });
    setAt({ row: target, column: 0 });
    setEditing(undefined);
    box.current?.focus({ preventScroll: true });
    // Not when rows are added, only when another is asked for or its rows have come.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [target, asked, first]);

  const select = (place: Place | undefined) => {
    setAt(place);
    setEditing(undefined);
    onSelect?.(place);
  };
  const begin = (place: Place, text?: string) => {
    const column = columns[place.column];
    if (!onEdit || !column?.editable) return;
    const value = rows[place.row - offset]?.[place.column];
    begun.current = rows[place.row - offset];
    setAt(place);
    setEditing(text ?? (value === null || value === undefined ? "" : shown(value)));
  };
  /** Keeps what was typed; false when it could not be, and is still being edited. */
  const commit = async (place: Place, value: string | null) => {
    const row = begun.current;
    if (!row) return true;
    // It is on its way.
    if (saving) return false;
    const old = row[place.column] ?? null;
    // Nothing typed into a cell without a value leaves it without one.
    const same = old === null ? value === null || value === "" : value !== null && shown(old) === value;
    if (!same) {
      setSaving(true);
      const ok = await onEdit?.(place, value, row);
      setSaving(false);
      if (!ok) return false;
    }
    begun.current = undefined;
    setEditing(undefined);
    box.current?.focus({ preventScroll: true });
    return true;
  };
  /** To another cell, once what was typed into this one is kept. */
  const leave = async (to: Place) => {
    if (editing !== undefined && at && !(await commit(at, editing))) return;
    select(to);
  };
  const press = (event: KeyboardEvent) => {
    if (editing !== undefined || event.target !== box.current) return;
    const place = at ?? { row: offset, column: 0 };
    const moves: Record<string, Place> = {
      ArrowDown: { ...place, row: Math.min(end - 1, place.row + 1) },
      ArrowUp: { ...place, row: Math.max(offset, place.row - 1) },
      ArrowRight: { ...place, column: Math.min(columns.length - 1, place.column + 1) },
      ArrowLeft: { ...place, column: Math.max(0, place.column - 1) },
      PageDown: { ...place, row: Math.min(end - 1, place.row + 20) },
      PageUp: { ...place, row: Math.max(offset, place.row - 20) },
    };
    const next = moves[event.key];
    if (next) {
      event.preventDefault();
      select(at ? next : place);
      virtual.scrollToIndex(next.row - base);
      return;
    }
    if (!at) return;
    if ((event.ctrlKey || event.metaKey) && event.key === "c" && !getSelection()?.toString()) {
      const value = rows[at.row - offset]?.[at.column];
      void navigator.clipboard?.writeText(value === null ? "" : shown(value)).catch(() => undefined);
    } else if (event.key === "Enter" || event.key === "F2") {
      event.preventDefault();
      begin(at);
    } else if ((event.ctrlKey || event.metaKey) && event.key === "0" && columns[at.column]?.editable) {
      event.preventDefault();
      begin(at);
      void commit(at, null);
    } else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey && !event.altKey && onEdit && columns[at.column]?.editable) {
      event.preventDefault();
      begin(at, event.key);
    } else if (event.key === "Escape") select(undefined);
  };

  return (
    <div
      ref={box}
      role="grid"
      aria-label={label}
      aria-rowcount={end + 1}
      aria-colcount={columns.length}
      tabIndex={0}
      onKeyDown={press}
      {...(height ? { style: { height } } : {})}
      className={cn("relative overflow-auto bg-panel font-mono text-xs -outline-offset-2", className)}
    >
      <div role="rowgroup" className="sticky top-0 z-10 bg-raised" style={{ width: total, minWidth: "100%" }}>
        <div role="row" aria-rowindex={1} className="flex border-b border-border">
          <div role="columnheader" aria-label="Row" className="shrink-0 border-r border-border" style={{ width: leadWidth }} />
          {columns.map((column, place) => (
            <div
              key={column.name}
              role="columnheader"
              aria-sort={sort?.column === column.name ? (sort.descending ? "descending" : "ascending") : undefined}
              className="flex h-8 shrink-0 items-center gap-1 border-r border-border px-2"
              style={{ width: widths[place] }}
            >
              {column.key && <KeyRound className="size-3 shrink-0 text-warn" aria-label="part of the primary key" />}
              {column.refers && <Link2 className="size-3 shrink-0 text-muted" aria-label="refers to another table" />}
              {onSort ? (
                <button type="button" className="flex min-w-0 items-center gap-1 font-semibold hover:underline" onClick={() => onSort(column.name)}>
                  <span className="truncate" title={column.name}>
                    {column.name}
                  </span>
                  {sort?.column === column.name &&
                    (sort.descending ? <ArrowDown className="size-3" aria-hidden /> : <ArrowUp className="size-3" aria-hidden />)}
                </button>
              ) : (
                <span className="truncate font-semibold" title={column.name}>
                  {column.name}
                </span>
              )}
              {column.note && (
                <span className="ml-auto truncate pl-1 text-[0.6875rem] text-muted" title={column.note}>
                  {column.note}
                </span>
              )}
            </div>
          ))}
        </div>
      </div>
      <div role="rowgroup" className="relative" style={{ height: virtual.getTotalSize(), width: total, minWidth: "100%" }}>
        {items.map((item) => {
          const number = base + item.index;
          const row = rows[number - offset];
          return (
            <div
              key={number}
              role="row"
              aria-rowindex={number + 2}
              className="absolute top-0 left-0 flex h-[33px] border-b border-border/60 hover:bg-raised/40"
              style={{ transform: `translateY(${item.start}px)`, width: total, minWidth: "100%" }}
            >
              <div
                role="rowheader"
                className="flex shrink-0 items-center justify-end border-r border-border/60 pr-2 text-muted tabular-nums"
                style={{ width: leadWidth }}
              >
                {onStart && <span className="mr-auto truncate pl-2">{number + 1}</span>}
                {lead ? row && lead(number) : !onStart && number + 1}
              </div>
              {columns.map((column, place) => {
                const value = row?.[place];
                const here = at?.row === number && at.column === place;
                const mine = { row: number, column: place };
                return (
                  <div
                    key={column.name}
                    role="gridcell"
                    aria-selected={here}
                    tabIndex={-1}
                    className={cn(
                      "relative flex h-full shrink-0 items-center gap-1 border-r border-border/60 px-2",
                      here && "bg-accent/60 ring-2 ring-primary ring-inset",
                    )}
                    style={{ width: widths[place] }}
                    onClick={() => {
                      if (here) return;
                      void leave(mine);
                      box.current?.focus({ preventScroll: true });
                    }}
                    onDoubleClick={() => begin(mine)}
                    onKeyDown={() => undefined}
                  >
                    {here && editing !== undefined ? (
                      <input
                        aria-label={`${column.name}, row ${number + 1}`}
                        // oxlint-disable-next-line jsx-a11y/no-autofocus
                        autoFocus
                        readOnly={saving}
                        value={editing}
                        className="absolute inset-0 w-full bg-background px-2 ring-2 ring-primary outline-none ring-inset"
                        onChange={(event) => setEditing(event.target.value)}
                        onKeyDown={(event) => {
                          event.stopPropagation();
                          if (event.key === "Enter") void commit(mine, editing);
                          else if (event.key === "Tab") {
                            const next = place + (event.shiftKey ? -1 : 1);
                            if (next < 0 || next >= columns.length) return;
                            event.preventDefault();
                            void leave({ row: number, column: next });
                          } else if (event.key === "Escape") {
                            setEditing(undefined);
                            box.current?.focus();
                          }
                        }}
                      />
                    ) : (
                      <>
                        <span className={cn("min-w-0 truncate", (value === null || value === undefined) && "text-muted italic")}>{row ? shown(value) : "…"}</span>
                        {here && follow && row && value !== null && <span className="ml-auto shrink-0">{follow(mine)}</span>}
                      </>
                    )}
                  </div>
                );
              })}
            </div>
          );
        })}
      </div>
    </div>
  );
}
