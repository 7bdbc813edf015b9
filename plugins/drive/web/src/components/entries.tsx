import { Check } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useRef, useState } from "react";
import { t } from "@/i18n";
import { bytes, when, whole } from "@/lib/format";
import { go, link } from "@/lib/route";
import type { Entry } from "@/lib/types";
import { Marked } from "./marked";
import { type Choice, Menu } from "./menu";
import { Thumbnail } from "./thumbnail";

export interface Actions {
  choices: (entry: Entry) => Choice[];
  rename?: (entry: Entry) => void;
  remove?: (entries: Entry[]) => void;
  open: (entry: Entry) => void;
}

interface Props {
  entries: Entry[];
  view: "list" | "grid";
  actions: Actions;
  chosen: ReadonlySet<string>;
  choose: (ids: ReadonlySet<string>) => void;
  /** What stands below a name. */
  detail?: (entry: Entry) => ReactNode;
  label: string;
}

const sizeOf = (entry: Entry) => (entry.kind === "file" ? bytes(entry.file.size) : "");
const timeOf = (entry: Entry) => (entry.kind === "file" ? entry.file.updated_at : entry.folder.updated_at);

/** Files and folders, as a list or as a grid. The arrows move, Space chooses, Enter opens. */
export function Entries(props: Props) {
  const { entries, view, actions, chosen, choose, label } = props;
  const [at, setAt] = useState(0);
  const last = useRef(0);
  const list = useRef<HTMLUListElement>(null);
  const current = Math.min(at, entries.length - 1);

  const focus = (place: number) => {
    const next = Math.max(0, Math.min(entries.length - 1, place));
    setAt(next);
    list.current?.querySelector<HTMLElement>(`[data-place="${next}"]`)?.focus();
  };
  const toggle = (place: number, range: boolean) => {
    const ids = new Set(chosen);
    const [from, to] = range ? [Math.min(last.current, place), Math.max(last.current, place)] : [place, place];
    const on = range || !ids.has(entries[place]?.id ?? "");
    for (const entry of entries.slice(from, to + 1)) {
      if (on) ids.add(entry.id);
      else ids.delete(entry.id);
    }
    last.current = place;
    choose(ids);
  };
  const columns = () => {
    if (view === "list" || !list.current) return 1;
    return getComputedStyle(list.current).gridTemplateColumns.split(" ").length;
  };
  const press = (event: KeyboardEvent, place: number) => {
    const entry = entries[place];
    if (!entry || event.target !== event.currentTarget) return;
    const picked = () => (chosen.size > 0 ? entries.filter(({ id }) => chosen.has(id)) : [entry]);
    const moves: Record<string, number> = {
      ArrowDown: place + columns(),
      ArrowUp: place - columns(),
      ArrowRight: place + 1,
      ArrowLeft: place - 1,
      Home: 0,
      End: entries.length - 1,
    };
    const move = moves[event.key];
    if (move !== undefined) focus(move);
    else if (event.key === "Enter") actions.open(entry);
    else if (event.key === " ") toggle(place, event.shiftKey);
    else if (event.key === "F2" && actions.rename) actions.rename(entry);
    else if (event.key === "Delete" && actions.remove) actions.remove(picked());
    else if (event.key === "Escape" && chosen.size > 0) choose(new Set());
    else if (event.key === "a" && (event.ctrlKey || event.metaKey)) choose(new Set(entries.map(({ id }) => id)));
    else return;
    event.preventDefault();
  };

  return (
    <ul
      ref={list}
      aria-label={label}
      className={
        view === "grid"
          ? "grid grid-cols-[repeat(auto-fill,minmax(9.5rem,1fr))] gap-3 px-3 py-2 md:grid-cols-[repeat(auto-fill,minmax(11.5rem,1fr))] md:px-5"
          : "px-1 md:px-3"
      }
    >
      {entries.map((entry, place) => {
        const Item = view === "grid" ? Tile : Row;
        return (
          <Item
            key={entry.id}
            {...props}
            entry={entry}
            place={place}
            focusable={place === current}
            press={(event) => press(event, place)}
            toggle={(range) => toggle(place, range)}
            focused={() => setAt(place)}
          />
        );
      })}
    </ul>
  );
}

interface ItemProps extends Props {
  entry: Entry;
  place: number;
  focusable: boolean;
  press: (event: KeyboardEvent) => void;
  toggle: (range: boolean) => void;
  focused: () => void;
}

function Choose({ entry, chosen, toggle, className = "" }: ItemProps & { className?: string }) {
  const on = chosen.has(entry.id);
  return (
    <button
      type="button"
      role="checkbox"
      aria-checked={on}
      aria-label={t("choose", { name: entry.name })}
      className={`flex size-10 shrink-0 items-center justify-center rounded-lg ${className}`}
      onClick={(event) => toggle(event.shiftKey)}
    >
      <span className={`flex size-5 items-center justify-center rounded-md border ${on ? "border-primary bg-primary text-primary-foreground" : "border-input bg-panel"}`}>
        {on && <Check size={14} strokeWidth={3} aria-hidden />}
      </span>
    </button>
  );
}

/** Space chooses; that it also presses a button is not meant here. */
function noClick(event: KeyboardEvent) {
  if (event.key === " ") event.preventDefault();
}

function Name({ entry }: { entry: Entry }) {
  const marked = entry.kind === "file" ? entry.file.highlights?.filename : undefined;
  return marked ? <Marked text={marked} /> : <>{entry.name}</>;
}

function Tags({ entry }: { entry: Entry }) {
  if (entry.kind !== "file" || entry.file.tags.length === 0) return null;
  return (
    <span className="flex min-w-0 flex-wrap gap-1">
      {entry.file.tags.slice(0, 4).map((tag) => (
        <button key={tag} type="button" className="chip hover:underline" onClick={() => go(link("search", undefined, { tag }))}>
          {tag}
        </button>
      ))}
    </span>
  );
}

function Row(props: ItemProps) {
  const { entry, place, focusable, press, focused, actions, chosen, detail } = props;
  const more = detail?.(entry);
  const choices = actions.choices(entry);
  return (
    <li className={`group flex items-center gap-1 rounded-xl pr-1 ${chosen.has(entry.id) ? "bg-accent" : "hover:bg-raised"}`}>
      <Choose {...props} />
      <button
        type="button"
        data-place={place}
        tabIndex={focusable ? 0 : -1}
        className="flex min-w-0 flex-1 items-center gap-3 rounded-lg py-2.5 text-left"
        onClick={() => actions.open(entry)}
        onKeyDown={press}
        onKeyUp={noClick}
        onFocus={focused}
      >
        <span className="flex size-8 shrink-0 items-center justify-center">
          <Thumbnail entry={entry} />
        </span>
        <span className="min-w-0 flex-1">
          <span className="block truncate font-medium" title={entry.name}>
            <Name entry={entry} />
          </span>
          <span className="block truncate text-sm text-muted md:hidden">{[sizeOf(entry), when(timeOf(entry))].filter(Boolean).join(" · ")}</span>
          {more && <span className="block text-sm text-muted [overflow-wrap:anywhere]">{more}</span>}
        </span>
      </button>
      <span className="hidden max-w-56 lg:block">
        <Tags entry={entry} />
      </span>
      <time className="hidden w-28 shrink-0 text-right text-sm text-muted md:block" dateTime={timeOf(entry)} title={whole(timeOf(entry))}>
        {when(timeOf(entry))}
      </time>
      <span className="hidden w-24 shrink-0 text-right text-sm text-muted tabular-nums md:block">{sizeOf(entry)}</span>
      {choices.length > 0 && <Menu label={t("actions_of", { name: entry.name })} choices={choices} />}
    </li>
  );
}

function Tile(props: ItemProps) {
  const { entry, place, focusable, press, focused, actions, chosen } = props;
  const choices = actions.choices(entry);
  return (
    <li className={`group relative overflow-hidden rounded-2xl border ${chosen.has(entry.id) ? "border-primary bg-accent" : "border-border bg-panel hover:bg-raised"}`}>
      <button
        type="button"
        data-place={place}
        tabIndex={focusable ? 0 : -1}
        className="block w-full rounded-2xl text-left focus-visible:outline-offset-[-3px]"
        onClick={() => actions.open(entry)}
        onKeyDown={press}
        onKeyUp={noClick}
        onFocus={focused}
      >
        <span className="flex h-28 items-center justify-center overflow-hidden bg-raised/60 md:h-32">
          <Thumbnail entry={entry} large />
        </span>
        <span className="block py-2.5 pr-11 pl-3">
          <span className="block truncate font-medium" title={entry.name}>
            <Name entry={entry} />
          </span>
          <span className="block truncate text-sm text-muted">{sizeOf(entry) || t("folder")}</span>
        </span>
      </button>
      <Choose {...props} className={`absolute top-1 left-1 ${chosen.size > 0 ? "" : "opacity-0 group-focus-within:opacity-100 group-hover:opacity-100"}`} />
      {choices.length > 0 && (
        <span className="absolute right-0.5 bottom-2">
          <Menu label={t("actions_of", { name: entry.name })} choices={choices} />
        </span>
      )}
    </li>
  );
}
