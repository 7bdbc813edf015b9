/**
 * Uploads, resumable (TUS 1.0.0): what came before a line broke is kept by the
 * server, and a file that is chosen again after the page was closed goes on
 * where it stopped.
 */
import { useSyncExternalStore } from "react";
import * as tus from "tus-js-client";
import { explain } from "@/lib/explain";
import { at } from "@/lib/place";
import { Refused } from "@/lib/refused";
import { another, bearer } from "@/lib/session";

export type State = "waiting" | "running" | "paused" | "done" | "failed";

export interface Transfer {
  id: number;
  name: string;
  folder: string | undefined;
  size: number;
  sent: number;
  state: State;
  problem?: string;
}

interface Job extends Transfer {
  file: File;
  path: string;
  upload?: tus.Upload;
}

/** How many at once. */
const LANES = 3;
/** Bytes of a request; a broken one is sent again from where it stopped. */
const CHUNK = 16 * 1024 * 1024;

let jobs: Job[] = [];
let shown: Transfer[] = [];
let next = 1;
const listeners = new Set<() => void>();
const settled = new Set<(folder: string | undefined) => void>();

function tell(): void {
  shown = jobs.map(({ file: _, upload: __, ...transfer }) => transfer);
  for (const listener of listeners) listener();
}

function change(job: Job, what: Partial<Job>): void {
  Object.assign(job, what);
  tell();
}

/** What the server said, as far as tus has it. */
function problemOf(error: Error): string {
  const response = error instanceof tus.DetailedError ? error.originalResponse : undefined;
  if (!response) return explain(new TypeError(error.message));
  try {
    const body = JSON.parse(response.getBody()) as { code?: string; detail?: string };
    return explain(new Refused(response.getStatus(), body.code ?? "", body.detail ?? ""));
  } catch {
    return explain(new Refused(response.getStatus(), "", ""));
  }
}

function uploadOf(job: Job): tus.Upload {
  let sentWith: string | undefined;
  const upload = new tus.Upload(job.file, {
    endpoint: at("/files/tus"),
    chunkSize: CHUNK,
    retryDelays: [0, 1_000, 3_000, 5_000, 10_000, 20_000],
    removeFingerprintOnSuccess: true,
    // What is chosen for another folder is another upload.
    fingerprint: async () => ["drive", at(""), job.folder ?? "", job.path, job.size, job.file.lastModified].join("|"),
    metadata: {
      path: job.path,
      filetype: job.file.type,
      ...(job.folder ? { folder_id: job.folder } : {}),
    },
    onBeforeRequest: async (request) => {
      sentWith = await bearer();
      if (sentWith) request.setHeader("authorization", `Bearer ${sentWith}`);
    },
    onShouldRetry: (error) => {
      const status = error.originalResponse?.getStatus() ?? 0;
      if (status === 401 && sentWith) {
        another(sentWith).catch(() => undefined);
        return true;
      }
      // What has the name already has it the next time, too.
      const isTaken = status === 409 && (error.originalResponse?.getBody() ?? "").includes("path_taken");
      return status === 0 || (status === 409 && !isTaken) || status === 423 || status === 429 || status >= 500;
    },
    onUploadUrlAvailable: () => {
      // Below the name that this page has, whatever the server calls itself.
      const id = upload.url?.split("/").at(-1);
      if (id) upload.url = at(`/files/tus/${id}`);
    },
    onProgress: (sent) => change(job, { sent }),
    onError: (error) => {
      change(job, { state: "failed", problem: problemOf(error) });
      fill();
    },
    onSuccess: () => {
      change(job, { state: "done", sent: job.size });
      for (const listener of settled) listener(job.folder);
      fill();
    },
  });
  return upload;
}

async function run(job: Job): Promise<void> {
  change(job, { state: "running" });
  if (!job.upload) {
    const upload = uploadOf(job);
    job.upload = upload;
    const earlier = await upload.findPreviousUploads().catch(() => []);
    if (earlier[0]) upload.resumeFromPreviousUpload(earlier[0]);
  }
  if (job.state === "running") job.upload.start();
}

function fill(): void {
  const running = jobs.filter((job) => job.state === "running").length;
  for (const job of jobs.filter((job) => job.state === "waiting").slice(0, Math.max(0, LANES - running))) void run(job);
}

/** A file, and its path below the folder that it goes to. */
export interface Chosen {
  file: File;
  path: string;
}

export function enqueue(chosen: Chosen[], folder: string | undefined): void {
  jobs = [
    ...jobs,
    ...chosen.map(({ file, path }) => ({ id: next++, name: file.name, path, folder, size: file.size, sent: 0, state: "waiting" as const, file })),
  ];
  tell();
  fill();
}

export function pause(id: number): void {
  const job = jobs.find((job) => job.id === id);
  if (!job || (job.state !== "running" && job.state !== "waiting")) return;
  void job.upload?.abort();
  change(job, { state: "paused" });
  fill();
}

export function resume(id: number): void {
  const job = jobs.find((job) => job.id === id);
  if (!job || (job.state !== "paused" && job.state !== "failed")) return;
  delete job.problem;
  change(job, { state: "waiting" });
  fill();
}

export function cancel(id: number): void {
  const job = jobs.find((job) => job.id === id);
  if (!job) return;
  if (job.state !== "done") void job.upload?.abort(true).catch(() => undefined);
  jobs = jobs.filter((other) => other !== job);
  tell();
  fill();
}

/** Takes what is over from the list. */
export function clear(): void {
  jobs = jobs.filter((job) => job.state !== "done" && job.state !== "failed");
  tell();
}

export function isBusy(): boolean {
  return jobs.some((job) => job.state === "running" || job.state === "waiting");
}

/** Ends everything: the user is gone. */
export function stopAll(): void {
  for (const job of jobs) void job.upload?.abort();
  jobs = [];
  tell();
}

/** Calls when a file has arrived. */
export function onArrival(listener: (folder: string | undefined) => void): () => void {
  settled.add(listener);
  return () => settled.delete(listener);
}

export function useTransfers(): Transfer[] {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => shown,
  );
}
