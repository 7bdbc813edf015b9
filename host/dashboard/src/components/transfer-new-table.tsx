import { FirstRows } from "./first-rows";
import { types } from "./table-dialogs";
import type { Preview } from "./transfer-queries";
import { Checkbox } from "./ui/checkbox";
import { Input, Select } from "./ui/input";

/** A column of a table that an import makes, for one of the source. */
export interface NewColumn {
  name: string;
  type: string;
  /** Whether it is the table's key, or a part of it. */
  primary: boolean;
  /** Whether it stays out. */
  out: boolean;
}

/** What the plugin proposes, a column for each of the source. */
export function proposed(preview: Preview): NewColumn[] {
  return preview.columns.map(({ name: from }) => {
    const name = preview.mapping?.[from];
    const column = preview.definition?.columns.find((one) => one.name === name);
    return { name: name ?? "", type: column?.type ?? "text", primary: column?.primary_key ?? false, out: !column };
  });
}

/** A name for a table, of a file's. */
export function tableName(file: string): string {
  const plain = file
    .replace(/\.[^.]*$/, "")
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}]+/gu, "_")
    .replaceAll(/^_+|_+$/g, "");
  return /^\p{L}/u.test(plain) ? plain.slice(0, 48) : `t_${plain}`.slice(0, 48);
}

/** What `POST /transfer/import` takes of these columns. */
export function wishesOf(preview: Preview, columns: NewColumn[]) {
  const used = columns.filter((column) => !column.out);
  const keys = used.filter((column) => column.primary).map((column) => column.name.trim());
  return {
    create: true,
    mapping: Object.fromEntries(
      preview.columns.flatMap(({ name: from }, place) => {
        const column = columns[place];
        return column ? [[from, column.out ? null : column.name.trim()]] : [];
      }),
    ),
    definition: {
      columns: used.map((column) => ({
        name: column.name.trim(),
        type: column.type,
        ...(column.primary ? (keys.length === 1 ? { primary_key: true } : { nullable: false }) : {}),
      })),
      ...(keys.length > 1 ? { primary_key: keys } : {}),
    },
  };
}

/** What is wrong with the columns, if anything is. */
export function faultOf(columns: NewColumn[]): string | undefined {
  const names = columns.filter((column) => !column.out).map((column) => column.name.trim());
  if (names.length === 0) return "a table has at least one column";
  if (names.includes("")) return "every column needs a name";
  const twice = names.find((name, place) => names.indexOf(name) !== place);
  return twice && `two columns are called ${twice}`;
}

interface Props {
  preview: Preview;
  columns: NewColumn[];
  change: (columns: NewColumn[]) => void;
}

/** The first rows of a source, and the columns that are made for them. */
export function NewTable({ preview, columns, change }: Props) {
  const set = (place: number, part: Partial<NewColumn>) => change(columns.map((column, other) => (other === place ? { ...column, ...part } : column)));
  const head = (place: number) => {
    const column = columns[place];
    const from = preview.columns[place]?.name ?? "";
    return (
      <>
        <span className="mb-1.5 block truncate">{from}</span>
        {column && (
          <div className="grid gap-1.5">
            <Input
              aria-label={`Name of the column for ${from}`}
              className="h-8 text-xs"
              autoComplete="off"
              disabled={column.out}
              value={column.name}
              onChange={(event) => set(place, { name: event.target.value })}
            />
            <Select
              aria-label={`Type of the column for ${from}`}
              className="h-8 text-xs"
              disabled={column.out}
              value={column.type}
              onChange={(event) => set(place, { type: event.target.value })}
            >
              {types.map((one) => (
                <option key={one}>{one}</option>
              ))}
            </Select>
            <label className="flex cursor-pointer items-center gap-2 font-normal">
              <Checkbox checked={column.primary && !column.out} disabled={column.out} onCheckedChange={(on) => set(place, { primary: on === true })} />
              Key
            </label>
            <label className="flex cursor-pointer items-center gap-2 font-normal">
              <Checkbox checked={column.out} onCheckedChange={(on) => set(place, { out: on === true })} />
              Leave out
            </label>
          </div>
        )}
      </>
    );
  };
  return <FirstRows columns={preview.columns} rows={preview.rows.slice(0, 5)} width="min-w-44" head={head} />;
}
