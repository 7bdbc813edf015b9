/**
 * The table of all lists: sorting by a click on a column's head, pages, and a
 * state for each of loading, nothing there and something wrong. Lists that the
 * server has by pages bring their own `pager`; their order within a page can
 * be changed, the pages' cannot.
 */
import {
  type ColumnDef,
  createPaginatedRowModel,
  createSortedRowModel,
  rowPaginationFeature,
  rowSortingFeature,
  sortFn_alphanumeric,
  sortFn_basic,
  sortFn_datetime,
  sortFn_text,
  tableFeatures,
  useTable,
} from "@tanstack/react-table";
import { ArrowDown, ArrowUp, ChevronLeft, ChevronRight, ChevronsUpDown } from "lucide-react";
import { type ReactNode, useMemo } from "react";
import { cn } from "@/lib/cn";
import { count } from "@/lib/format";
import { useWords } from "@/lib/pages";
import { Failure, Skeleton } from "./states";
import { Button } from "./ui/button";

const features = tableFeatures({
  rowSortingFeature,
  rowPaginationFeature,
  sortedRowModel: createSortedRowModel(),
  paginatedRowModel: createPaginatedRowModel(),
  sortFns: { alphanumeric: sortFn_alphanumeric, basic: sortFn_basic, datetime: sortFn_datetime, text: sortFn_text },
});

/** A column of a {@link DataTable}. */
export interface Col<T> {
  id: string;
  head: string;
  cell: (row: T) => ReactNode;
  /** What is sorted by; without it the column cannot be. */
  sort?: (row: T) => string | number | boolean | null | undefined;
  className?: string;
  /** Left out where the window is narrow. */
  wide?: boolean;
  hiddenHead?: boolean;
}

export interface Pager {
  page: number;
  hasNext: boolean;
  next: () => void;
  previous: () => void;
}

interface Props<T> {
  label: string;
  columns: Col<T>[];
  rows: T[] | undefined;
  error?: unknown;
  retry?: () => void;
  empty: ReactNode;
  rowKey: (row: T) => string;
  pager?: Pager;
  pageSize?: number;
  stale?: boolean;
  /** The word of the address that keeps what is sorted by, `-` before it where the last comes first. */
  sortWord?: string;
}

export function DataTable<T extends object>({
  label,
  columns,
  rows,
  error,
  retry,
  empty,
  rowKey,
  pager,
  pageSize = 50,
  stale,
  sortWord,
}: Props<T>) {
  const [words, change] = useWords<string>();
  const definitions = useMemo(
    () =>
      columns.map(
        (column): ColumnDef<typeof features, T> => ({
          id: column.id,
          header: column.head,
          accessorFn: (row: T) => column.sort?.(row) ?? undefined,
          enableSorting: column.sort !== undefined,
          sortUndefined: "last",
        }),
      ),
    [columns],
  );
  const table = useTable({
    features,
    columns: definitions,
    data: rows ?? (none as T[]),
    getRowId: rowKey,
    autoResetPageIndex: false,
    initialState: { sorting: told(sortWord && words[sortWord], columns), pagination: { pageIndex: 0, pageSize: pager ? 1_000 : pageSize } },
  });
  const byId = useMemo(() => new Map(columns.map((column) => [column.id, column])), [columns]);
  const pages = table.getPageCount();
  const index = table.state.pagination.pageIndex;

  if (error && !rows) return <Failure error={error} {...(retry ? { retry } : {})} />;
  if (rows?.length === 0 && (pager?.page ?? 0) === 0) return <>{empty}</>;
  return (
    <div>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className="relative overflow-x-auto" tabIndex={0} role="region" aria-label={label}>
        <table aria-label={label} aria-busy={!rows} className={cn("w-full border-collapse text-sm", stale && "opacity-60")}>
          <thead>
            {table.getHeaderGroups().map((group) => (
              <tr key={group.id} className="border-b border-border text-left">
                {group.headers.map((header) => {
                  const column = byId.get(header.column.id);
                  const sorted = header.column.getIsSorted();
                  return (
                    <th
                      key={header.id}
                      scope="col"
                      aria-sort={sorted === "asc" ? "ascending" : sorted === "desc" ? "descending" : undefined}
                      className={cn(
                        "h-9 px-4 text-xs font-medium whitespace-nowrap text-muted",
                        column?.wide && "hidden md:table-cell",
                        column?.className,
                      )}
                    >
                      {column?.sort ? (
                        <button
                          type="button"
                          className="-mx-1 inline-flex items-center gap-1 rounded px-1 hover:text-foreground"
                          onClick={() => {
                            header.column.toggleSorting(sorted === "asc");
                            if (sortWord) change({ [sortWord]: `${sorted === "asc" ? "-" : ""}${column.id}` }, { replace: true });
                          }}
                        >
                          {column.head}
                          {sorted === "asc" ? (
                            <ArrowUp className="size-3" aria-hidden />
                          ) : sorted === "desc" ? (
                            <ArrowDown className="size-3" aria-hidden />
                          ) : (
                            <ChevronsUpDown className="size-3 opacity-50" aria-hidden />
                          )}
                        </button>
                      ) : (
                        <span className={cn(column?.hiddenHead && "sr-only")}>{column?.head}</span>
                      )}
                    </th>
                  );
                })}
              </tr>
            ))}
          </thead>
          <tbody>
            {rows === undefined
              ? Array.from({ length: 6 }, (_, row) => (
                  <tr key={row} className="border-b border-border last:border-0">
                    {columns.map((column) => (
                      <td key={column.id} className={cn("h-12 px-4", column.wide && "hidden md:table-cell")}>
                        <Skeleton className="h-4 w-3/4" />
                      </td>
                    ))}
                  </tr>
                ))
              : table.getRowModel().rows.map((row) => (
                  <tr key={row.id} className="border-b border-border last:border-0 hover:bg-raised/40">
                    {columns.map((column) => (
                      <td
                        key={column.id}
                        className={cn("h-12 px-4 py-2", column.wide && "hidden md:table-cell", column.className)}
                      >
                        {column.cell(row.original)}
                      </td>
                    ))}
                  </tr>
                ))}
          </tbody>
        </table>
      </div>
      {pager && (pager.page > 0 || pager.hasNext) && (
        <Pages
          text={`Page ${count(pager.page + 1)}`}
          previous={pager.page > 0 ? pager.previous : undefined}
          next={pager.hasNext ? pager.next : undefined}
        />
      )}
      {!pager && pages > 1 && (
        <Pages
          text={`Page ${index + 1} of ${pages}`}
          previous={index > 0 ? () => table.setPageIndex(index - 1) : undefined}
          next={index + 1 < pages ? () => table.setPageIndex(index + 1) : undefined}
        />
      )}
    </div>
  );
}

const none: object[] = [];

/** What an address says is sorted by. */
function told<T>(word: unknown, columns: Col<T>[]): { id: string; desc: boolean }[] {
  const [, down, id = ""] = /^(-?)(\w+)$/.exec(typeof word === "string" ? word : "") ?? [];
  return columns.some((column) => column.id === id && column.sort) ? [{ id, desc: down === "-" }] : [];
}

export function Pages({ text, previous, next }: { text: string; previous: (() => void) | undefined; next: (() => void) | undefined }) {
  return (
    <nav aria-label="Pages" className="flex items-center justify-end gap-2 border-t border-border px-4 py-2">
      <span className="mr-auto text-xs text-muted">{text}</span>
      <Button size="sm" disabled={!previous} onClick={previous}>
        <ChevronLeft aria-hidden /> Previous
      </Button>
      <Button size="sm" disabled={!next} onClick={next}>
        Next <ChevronRight aria-hidden />
      </Button>
    </nav>
  );
}
