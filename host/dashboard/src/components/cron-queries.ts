/** What the pages of `cron` ask the plugin. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { plugin } from "@/api/client";
import { queryClient } from "@/api/queries";

export type Kind = "http" | "plugin" | "platform";
export type Status = "running" | "success" | "fail" | "timeout" | "missed";

export interface CronJob {
  id: string;
  etag: string;
  name: string;
  type: Kind;
  schedule: string;
  timezone: string;
  http?: { url: string; method: string; headers: Record<string, string>; body: unknown };
  plugin?: { name: string; method: string; path: string; body: unknown };
  action?: string;
  payload?: unknown;
  timeout_ms: number;
  retries: number;
  retry_backoff_ms: number;
  catch_up: "skip" | "once" | "all";
  overlap: boolean;
  enabled: boolean;
  notify: { on: string[]; user_ids: string[]; webhook_url: string | null };
  on_hold: boolean;
  next_run_at: string | null;
  last_status: Status | null;
  last_run_at: string | null;
  created_at: string;
  updated_at: string;
}

export interface CronRun {
  id: string;
  job_id: string;
  scheduled_at: string;
  started_at: string | null;
  finished_at: string | null;
  status: Status;
  http_status: number | null;
  duration_ms: number | null;
  error_text: string | null;
  log_object_key: string | null;
  attempt: number;
}

export interface Listed<T> {
  items: T[];
  next_cursor: string | null;
}

/** Stands for what is sealed. */
export const sealed = "[sealed]";

const key = (project: string) => ["project", project, "cron"];

export const refreshCron = (project: string) => queryClient.invalidateQueries({ queryKey: key(project) });

export const cronJobsQuery = (project: string, cursor: string | undefined) =>
  queryOptions({
    queryKey: [...key(project), "jobs", cursor],
    queryFn: ({ signal }) => plugin<Listed<CronJob>>(project, "/cron/jobs", { query: { limit: "50", cursor }, signal }),
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  });

export const cronJobQuery = (project: string, id: string) =>
  queryOptions({
    queryKey: [...key(project), "job", id],
    queryFn: ({ signal }) => plugin<CronJob>(project, `/cron/jobs/${encodeURIComponent(id)}`, { signal }),
    refetchInterval: 5_000,
  });

export const cronRunsQuery = (project: string, id: string, status: string | undefined) => ({
  queryKey: [...key(project), "runs", id, status],
  queryFn: ({ signal, pageParam }: { signal: AbortSignal; pageParam: string | undefined }) =>
    plugin<Listed<CronRun>>(project, `/cron/jobs/${encodeURIComponent(id)}/runs`, { query: { limit: "25", status, cursor: pageParam }, signal }),
  initialPageParam: undefined as string | undefined,
  getNextPageParam: (page: Listed<CronRun>) => page.next_cursor ?? undefined,
});

export const explainQuery = (project: string, schedule: string, timezone: string, count = 5) =>
  queryOptions({
    queryKey: [...key(project), "explain", schedule, timezone, count],
    queryFn: ({ signal }) =>
      plugin<{ schedule: string; timezone: string; next: string[] }>(project, "/cron/explain", { method: "POST", json: { schedule, timezone, count }, signal }),
    enabled: schedule.trim() !== "" && timezone.trim() !== "",
    retry: false,
    placeholderData: keepPreviousData,
  });
