/** Backups of a project, or, without one, of the platform and of everything that ever was on it. */
import { queryOptions } from "@tanstack/react-query";
import { type Schemas, api, take } from "@/api/client";
import { queryClient } from "@/api/queries";
import { isOvertaken, made, tagOf } from "@/lib/tags";

export type Backup = Schemas["BackupView"];
export type BackupRun = Schemas["BackupRunView"];
/** With when it is done, where the server knows of more than intervals. */
export type BackupPolicy = Schemas["BackupPolicyView"] & { schedule?: string | null; timezone?: string | null; verify_every_days?: number | null };

export type Owner = string | undefined;

const key = (project: Owner) => ["backups", project ?? null];

export const refreshBackups = () => queryClient.invalidateQueries({ queryKey: ["backups"] });

export const backupsQuery = (project: Owner, cursor: string | undefined) => {
  const query = { limit: 50, ...(cursor ? { cursor } : {}) };
  return queryOptions({
    queryKey: [...key(project), "list", cursor],
    queryFn: ({ signal }) =>
      project === undefined
        ? take(api.GET("/admin/v1/backups", { params: { query }, signal }))
        : take(api.GET("/admin/v1/projects/{project}/backups", { params: { path: { project }, query }, signal })),
    refetchInterval: (asked) => (asked.state.data?.items.some((one) => one.state === "running") ? 1_000 : 15_000),
  });
};

export const backupQuery = (project: Owner, id: string) =>
  queryOptions({
    queryKey: [...key(project), "one", id],
    queryFn: ({ signal }) =>
      project === undefined
        ? take(api.GET("/admin/v1/backups/{id}", { params: { path: { id } }, signal }))
        : take(api.GET("/admin/v1/projects/{project}/backups/{id}", { params: { path: { project, id } }, signal })),
    refetchInterval: (asked) => {
      const one = asked.state.data;
      return one && (one.state === "running" || one.runs.some((run) => run.state === "running")) ? 1_000 : 15_000;
    },
  });

export const policyQuery = (project: Owner) =>
  queryOptions({
    queryKey: [...key(project), "policy"],
    queryFn: ({ signal }) =>
      tagged(
        project === undefined
          ? api.GET("/admin/v1/backup-policy", { signal })
          : api.GET("/admin/v1/projects/{project}/backup-policy", { params: { path: { project } }, signal }),
      ),
    staleTime: 30_000,
  });

async function tagged(asked: Promise<{ data?: BackupPolicy; error?: unknown; response: Response }>): Promise<{ policy: BackupPolicy; etag: string | undefined }> {
  const answer = await asked;
  return { policy: await take(Promise.resolve(answer)), etag: tagOf(answer) };
}

/** Sets the policy that has this tag. */
export async function setPolicy(project: Owner, body: BackupPolicy, etag: string | undefined): Promise<void> {
  const header = made(etag);
  const { queryKey } = policyQuery(project);
  try {
    const now = await tagged(
      project === undefined
        ? api.PUT("/admin/v1/backup-policy", { params: { header }, body })
        : api.PUT("/admin/v1/projects/{project}/backup-policy", { params: { path: { project }, header }, body }),
    );
    queryClient.setQueryData(queryKey, now);
  } catch (error) {
    if (isOvertaken(error)) await queryClient.invalidateQueries({ queryKey });
    throw error;
  }
}

export const beginBackup = (project: Owner): Promise<Backup> =>
  project === undefined
    ? take(api.POST("/admin/v1/backups"))
    : take(api.POST("/admin/v1/projects/{project}/backups", { params: { path: { project } } }));

export const linkTo = (project: Owner, id: string) =>
  project === undefined
    ? take(api.GET("/admin/v1/backups/{id}/download", { params: { path: { id } } }))
    : take(api.GET("/admin/v1/projects/{project}/backups/{id}/download", { params: { path: { project, id } } }));

export const testBackup = (project: Owner, id: string) =>
  project === undefined
    ? take(api.POST("/admin/v1/backups/{id}/verify", { params: { path: { id } } }))
    : take(api.POST("/admin/v1/projects/{project}/backups/{id}/verify", { params: { path: { project, id } } }));

export const deleteBackup = (project: Owner, id: string) =>
  project === undefined
    ? take(api.DELETE("/admin/v1/backups/{id}", { params: { path: { id } } }))
    : take(api.DELETE("/admin/v1/projects/{project}/backups/{id}", { params: { path: { project, id } } }));

export const restoreOver = (project: string, id: string, confirm: string) =>
  take(api.POST("/admin/v1/projects/{project}/backups/{id}/restore", { params: { path: { project, id } }, body: { confirm } }));

export const restoreNew = (project: Owner, id: string, made: Schemas["NewFromBackup"]) =>
  project === undefined
    ? take(api.POST("/admin/v1/backups/{id}/restore", { params: { path: { id } }, body: made }))
    : take(api.POST("/admin/v1/projects/{project}/backups/{id}/restore", { params: { path: { project, id } }, body: { new: made } }));

/** How it came about, in words. */
export const reasons: Record<string, string> = {
  manual: "asked for",
  scheduled: "by schedule",
  before_restore: "before a restore",
};

export const nameOf = (backup: Backup) => backup.slug ?? "platform";
