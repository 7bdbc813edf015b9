/** What the pages ask, and what is to be asked again after a change. */
import { QueryClient, useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { call, isOn } from "./api";
import { at } from "./place";
import { Refused } from "./refused";
import { refusal } from "./refused";
import type { FileItem, FolderItem, Me, Notice, Page, Quota, Settings, Transaction } from "./types";

export const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 10_000,
      retry: (count, error) => count < 2 && !(error instanceof Refused && error.status < 500 && error.status !== 429),
    },
  },
});

/** Lists that show files: all of them are asked for again. */
export async function filesChanged(): Promise<void> {
  await Promise.all(["list", "folder", "trash", "shared", "search", "quota", "tags", "file"].map(async (key) => client.invalidateQueries({ queryKey: [key] })));
}

/** Lists that go on where a page has ended. */
export const pages = {
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (page: Page<unknown>) => page.next_cursor ?? undefined,
};

export type Sort = "filename" | "-filename" | "updated_at" | "-updated_at" | "size" | "-size";

export function useFiles(folder: string | undefined, sort: Sort) {
  return useInfiniteQuery({
    queryKey: ["list", "files", folder ?? "root", sort],
    queryFn: async ({ pageParam, signal }) =>
      call<Page<FileItem>>("GET", folder ? "/files" : "/users/me/files", {
        params: { folder_id: folder ?? "root", sort, limit: 100, cursor: pageParam, ...(folder ? { readable: true } : {}) },
        signal,
      }),
    ...pages,
  });
}

export function useFolders(folder: string | undefined) {
  return useInfiniteQuery({
    queryKey: ["list", "folders", folder ?? "root"],
    queryFn: async ({ pageParam, signal }) =>
      call<Page<FolderItem>>("GET", "/folders", { params: { parent_id: folder ?? "root", limit: 200, cursor: pageParam }, signal }),
    ...pages,
  });
}

/** The folder and those that it lies in, the topmost first. */
export function useTrail(folder: string | undefined) {
  return useQuery({
    queryKey: ["folder", "trail", folder],
    enabled: folder !== undefined,
    queryFn: async () => {
      const trail: FolderItem[] = [];
      let id: string | null | undefined = folder;
      while (id && trail.length < 64) {
        try {
          // Each tells of the one above it.
          // oxlint-disable-next-line no-await-in-loop
          const found: FolderItem = await call<FolderItem>("GET", `/folders/${id}`);
          trail.unshift(found);
          id = found.parent_id;
        } catch (error) {
          // What lies above a shared folder is not for everybody to see.
          if (trail.length > 0 && error instanceof Refused && error.status < 500) break;
          throw error;
        }
      }
      return trail;
    },
  });
}

/** Where the next page of both begins; null for a list that has ended. */
interface Both {
  folders: string | undefined | null;
  files: string | undefined | null;
}

const beginning: Both = { folders: undefined, files: undefined };

/** Folders and files that stand in lists of their own, page by page. */
export async function both(name: string, from: Both): Promise<{ folders: FolderItem[]; files: FileItem[]; next: Both | undefined }> {
  const some = async <T>(kind: string, cursor: string | undefined | null): Promise<Page<T>> =>
    cursor === null ? { items: [], next_cursor: null } : call<Page<T>>("GET", `/${kind}/${name}`, { params: { limit: 200, cursor } });
  const [folders, files] = await Promise.all([some<FolderItem>("folders", from.folders), some<FileItem>("files", from.files)]);
  const next = { folders: folders.next_cursor ?? null, files: files.next_cursor ?? null };
  return { folders: folders.items, files: files.items, next: next.folders === null && next.files === null ? undefined : next };
}

function useBoth(key: string, name: string) {
  return useInfiniteQuery({
    queryKey: [key],
    queryFn: async ({ pageParam }) => both(name, pageParam),
    initialPageParam: beginning,
    getNextPageParam: (page) => page.next,
    select: ({ pages: all }) => ({ folders: all.flatMap(({ folders }) => folders), files: all.flatMap(({ files }) => files) }),
  });
}

export const useTrash = () => useBoth("trash", "trash");

export const useShared = () => useBoth("shared", "shared-with-me");

export interface Found extends Page<FileItem> {
  complete?: boolean;
  /** Whether more files have it than were ranked. */
  truncated?: boolean;
  facets?: { types: { value: string; count: number }[]; tags: { value: string; count: number }[] };
}

export function useSearch(q: string, tag: string, on: boolean) {
  return useInfiniteQuery({
    queryKey: ["search", q, tag, on],
    enabled: q !== "" || tag !== "",
    queryFn: async ({ pageParam, signal }) =>
      on
        ? call<Found>("GET", "/files/search", { params: { q: q || undefined, tags: tag || undefined, limit: 50, cursor: pageParam }, signal })
        : call<Found>("GET", "/users/me/files", { params: { q: q || undefined, tag: tag || undefined, limit: 50, cursor: pageParam }, signal }),
    placeholderData: (before) => before,
    ...pages,
  });
}

export function useFile(id: string | undefined) {
  return useQuery({
    queryKey: ["file", id],
    enabled: id !== undefined,
    queryFn: async ({ signal }) => call<FileItem>("GET", `/files/${id}`, { signal }),
  });
}

export function useQuota() {
  return useQuery({ queryKey: ["quota"], queryFn: async () => call<Quota>("GET", "/users/me/quota") });
}

export function useMe() {
  return useQuery({ queryKey: ["me"], staleTime: 60_000, queryFn: async () => call<Me>("GET", "/v1/auth/me") });
}

/** Which of the plugins are on that not every project has. */
export function useFeatures(): { search: boolean; notifications: boolean; payments: boolean } {
  const asked = useQuery({
    queryKey: ["features"],
    staleTime: 5 * 60_000,
    queryFn: async () => {
      const [search, notifications, payments] = await Promise.all([isOn("/tags"), isOn("/notifications"), isOn("/mpesa/transactions")]);
      return { search, notifications, payments };
    },
  });
  const settings = useSettings();
  const found = asked.data ?? { search: false, notifications: false, payments: false };
  return { ...found, payments: found.payments && (settings.data?.payments ?? true) };
}

export function useSettings() {
  return useQuery({
    queryKey: ["settings"],
    staleTime: Number.POSITIVE_INFINITY,
    queryFn: async () => {
      const response = await fetch(at("/drive/settings"), { credentials: "omit" });
      if (!response.ok) throw await refusal(response);
      return (await response.json()) as Settings;
    },
  });
}

export interface Notices extends Page<Notice> {
  unread: number;
}

export function useNotices(on: boolean) {
  return useInfiniteQuery({
    queryKey: ["notices"],
    enabled: on,
    queryFn: async ({ pageParam }) => call<Notices>("GET", "/notifications", { params: { limit: 50, cursor: pageParam } }),
    ...pages,
    select: ({ pages: all }) => ({ items: all.flatMap(({ items }) => items), unread: all[0]?.unread ?? 0 }),
  });
}

export function useTransactions() {
  return useInfiniteQuery({
    queryKey: ["payments"],
    queryFn: async ({ pageParam }) => call<Page<Transaction>>("GET", "/mpesa/transactions", { params: { limit: 100, cursor: pageParam } }),
    ...pages,
    select: ({ pages: all }) => ({ items: all.flatMap(({ items }) => items) }),
    // A payment ends on somebody's phone.
    refetchInterval: ({ state }) =>
      state.data?.pages.some(({ items }) => items.some((item) => item.status === "pending" || item.status === "created")) ? 3_000 : false,
  });
}
