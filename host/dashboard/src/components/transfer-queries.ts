/** What the plugin `transfer` of a project is asked. */
import { queryOptions } from "@tanstack/react-query";
import { plugin } from "@/api/client";
import { queryClient } from "@/api/queries";

export interface RowError {
  table: string;
  row: number;
  column: string | null;
  value: string | null;
  code: string;
  reason: string;
}

/** A file of a folder that was not taken. */
export interface FileError {
  file: string;
  code: string;
  reason: string;
}

/** A user of an archive of whom not everything could be taken, or nothing. */
export interface UserNote {
  email: string;
  id: string;
  left_out?: string[];
  code?: string;
  reason?: string;
}

/** An export or an import. */
export interface Job {
  id: string;
  kind: "export" | "import";
  what: "table" | "database" | "files";
  table: string | null;
  format: string;
  status: "queued" | "running" | "done" | "failed" | "cancelled";
  progress: { rows: number; rows_total: number | null; bytes: number; bytes_total: number | null; percent: number | null };
  error?: { code: string; detail: string };
  report?: {
    rows_failed?: number;
    errors?: (RowError | FileError)[];
    files?: { file: string; path: string; size: number; id: string | null }[];
    files_taken?: number;
    /** Of an export: those that were deleted while it was made. */
    files_left_out?: number;
    bytes?: number;
    dry_run?: boolean;
    tables_made?: string[];
    /** Counters that would give out numbers that rows have, with what sets them. */
    counters_behind?: { table: string; column: string; largest: number; sql: string }[];
    users?: { there: number; added: number; waiting: number; refused: number; notes: UserNote[] };
  };
  result?: { name: string; content_type: string; size: number; sha256: string | null; url?: string };
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  expires_at: string | null;
}

/** What a source has in it, as far as was looked at. */
export interface Preview {
  format: string;
  encoding: string;
  delimiter: string | null;
  size: number;
  columns: { name: string; kind: string }[];
  rows: (string | null)[][];
  mapping?: Record<string, string | null>;
  /** The table that would be made for it. */
  definition?: { columns: { name: string; type: string; primary_key?: boolean }[] };
}

const key = (project: string) => ["project", project, "transfer"];

export const refreshJobs = (project: string) => queryClient.invalidateQueries({ queryKey: key(project) });

export const goesOn = (job: Job) => job.status === "queued" || job.status === "running";

export const jobsQuery = (project: string, cursor: string | undefined) =>
  queryOptions({
    queryKey: [...key(project), "list", cursor],
    queryFn: ({ signal }) =>
      plugin<{ items: Job[]; next_cursor: string | null }>(project, "/transfer/jobs", { query: { limit: "25", cursor }, signal }),
    refetchInterval: (asked) => (asked.state.data?.items.some(goesOn) ? 1_000 : 15_000),
  });

export const jobQuery = (project: string, id: string) =>
  queryOptions({
    queryKey: [...key(project), "one", id],
    queryFn: ({ signal }) => plugin<Job>(project, `/transfer/jobs/${encodeURIComponent(id)}`, { signal }),
    refetchInterval: (asked) => (asked.state.data && !goesOn(asked.state.data) ? false : 700),
  });

export const beginExport = (project: string, wishes: Record<string, unknown>) =>
  plugin<Job>(project, "/transfer/export", { method: "POST", json: wishes });

export const beginImport = (project: string, wishes: Record<string, unknown>) =>
  plugin<Job>(project, "/transfer/import", { method: "POST", json: wishes });

export const beginFolder = (project: string, source: string, dry_run: boolean) =>
  plugin<Job>(project, "/transfer/folder", { method: "POST", json: { source, dry_run } });

export const preview = (project: string, wishes: Record<string, unknown>, signal?: AbortSignal) =>
  plugin<Preview>(project, "/transfer/preview", { method: "POST", json: wishes, ...(signal ? { signal } : {}) });

export const cancelJob = (project: string, id: string) =>
  plugin<Job>(project, `/transfer/jobs/${encodeURIComponent(id)}/cancel`, { method: "POST" });

export const deleteJob = (project: string, id: string) =>
  plugin<undefined>(project, `/transfer/jobs/${encodeURIComponent(id)}`, { method: "DELETE" });

/** What a job does, in words. */
export function jobInWords(job: Job): string {
  const what = job.what === "table" ? (job.table ?? "a table") : job.what === "database" ? "all tables" : "all files";
  return job.kind === "export" ? `${what} as ${job.format}` : `${job.format} into ${job.what === "files" ? "files" : what}`;
}
