import { useNavigate, useSearch } from "@tanstack/react-router";
import type { Pager } from "@/components/data-table";

/**
 * Pages of a list that the server cuts: the cursors of the pages so far stand
 * in the address, so that it can be shared and the browser's way back works.
 */
export function useCursorPages(): { cursor: string | undefined; pager: (next: string | null | undefined) => Pager } {
  const search: { pages?: string } = useSearch({ strict: false });
  const navigate = useNavigate();
  const cursors = search.pages ? search.pages.split("~") : [];
  const go = (pages: string[]) =>
    void navigate({
      to: ".",
      search: (old: Record<string, unknown>) => ({ ...old, pages: pages.join("~") || undefined }),
    } as never);
  return {
    cursor: cursors.at(-1),
    pager: (next) => ({
      page: cursors.length,
      hasNext: Boolean(next),
      next: () => next && go([...cursors, next]),
      previous: () => go(cursors.slice(0, -1)),
    }),
  };
}

/** The words in the address's query, and a way to change some of them. */
export function useWords<K extends string>(): [
  { [name in K]?: string },
  (change: { [name in K]?: string | undefined }, options?: { replace?: boolean }) => void,
] {
  const search = useSearch({ strict: false } as never) as { [name in K]?: string };
  const navigate = useNavigate();
  return [
    search,
    (change, options) =>
      void navigate({
        to: ".",
        search: (old: Record<string, unknown>) => ({ ...old, ...change }),
        replace: options?.replace ?? false,
      } as never),
  ];
}
