/** What the pages ask, and under which names it is kept. */
import { QueryClient, keepPreviousData, queryOptions } from "@tanstack/react-query";
import { ApiError, type Schemas, api, take } from "./client";

export type Project = Schemas["ProjectView"];
export type Installation = Schemas["InstallationView"];
export type Revision = Schemas["RevisionView"];
export type Key = Schemas["KeyView"];
export type User = Schemas["UserView"];
export type Audit = Schemas["AuditView"];
export type Item = Schemas["ItemView"];
export type Table = Schemas["TableView"];
export type TableDetails = Schemas["TableDetailsView"];
export type Column = Schemas["ColumnView"];
export type Session = Schemas["SessionView"];

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      networkMode: "always",
      staleTime: 5_000,
      retry: (failures, error) =>
        failures < 3 && (!(error instanceof ApiError) || [0, 429, 502, 503, 504].includes(error.status)),
      retryDelay: (attempt) => Math.min(500 * 2 ** attempt, 5_000),
    },
    mutations: { networkMode: "always", retry: false },
  },
});

export const sessionQuery = queryOptions({
  queryKey: ["session"],
  queryFn: async (): Promise<Session | null> => {
    const { data, error, response } = await api.GET("/admin/v1/session");
    if (response.status === 401) return null;
    if (!data) throw new ApiError(response.status, (error ?? {}) as Record<string, unknown>);
    return data;
  },
  staleTime: 60_000,
});

/** Notes who has signed in; the token of the answer is let go of. */
export function begin({ token: _, ...session }: Session): Session {
  queryClient.setQueryData(sessionQuery.queryKey, session);
  return session;
}

export const setUpQuery = queryOptions({
  queryKey: ["setup"],
  queryFn: () => take(api.GET("/admin/v1/setup")),
  staleTime: Number.POSITIVE_INFINITY,
});

export const projectsQuery = (q: string, cursor: string | undefined, limit = 25) =>
  queryOptions({
    queryKey: ["projects", { q, cursor, limit }],
    queryFn: ({ signal }) =>
      take(
        api.GET("/admin/v1/projects", {
          params: { query: { limit, ...(q ? { q } : {}), ...(cursor ? { cursor } : {}) } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });

export const projectQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}", { params: { path: { project } }, signal })),
  });

export const usageQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "usage"],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/usage", { params: { path: { project } }, signal })),
  });

export const domainsQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "domains"],
    queryFn: ({ signal }) =>
      take(api.GET("/admin/v1/projects/{project}/domains", { params: { path: { project } }, signal })),
  });

export const keysQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "keys"],
    queryFn: ({ signal }) =>
      take(api.GET("/admin/v1/projects/{project}/keys", { params: { path: { project }, query: { limit: 1_000 } }, signal })),
  });

export const installationsQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "plugins"],
    queryFn: ({ signal }) =>
      take(api.GET("/admin/v1/projects/{project}/plugins", { params: { path: { project } }, signal })),
  });

export const installationQuery = (project: string, plugin: string) =>
  queryOptions({
    queryKey: ["project", project, "plugins", plugin],
    queryFn: ({ signal }) =>
      take(api.GET("/admin/v1/projects/{project}/plugins/{plugin}", { params: { path: { project, plugin } }, signal })),
  });

export const metricsQuery = (project: string, plugin: string) =>
  queryOptions({
    queryKey: ["project", project, "metrics", plugin],
    queryFn: ({ signal }) =>
      take(
        api.GET("/admin/v1/projects/{project}/plugins/{plugin}/metrics", {
          params: { path: { project, plugin } },
          signal,
        }),
      ),
    refetchInterval: 5_000,
  });

export const catalogueQuery = queryOptions({
  queryKey: ["catalogue"],
  queryFn: ({ signal }) => take(api.GET("/admin/v1/plugins", { params: { query: { limit: 1_000 } }, signal })),
});

export const revisionsQuery = (plugin: string) =>
  queryOptions({
    queryKey: ["catalogue", plugin],
    queryFn: ({ signal }) =>
      take(api.GET("/admin/v1/plugins/{plugin}", { params: { path: { plugin }, query: { limit: 100 } }, signal })),
  });

export const queueCountsQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "queue", "counts"],
    queryFn: ({ signal }) =>
      take(api.GET("/admin/v1/projects/{project}/queue/counts", { params: { path: { project } }, signal })),
    refetchInterval: 5_000,
  });

export const tablesQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "tables"],
    queryFn: ({ signal }) =>
      take(api.GET("/admin/v1/projects/{project}/tables", { params: { path: { project } }, signal })),
  });

export const tableQuery = (project: string, table: string) =>
  queryOptions({
    queryKey: ["project", project, "tables", table],
    queryFn: ({ signal }) =>
      take(api.GET("/admin/v1/projects/{project}/tables/{table}", { params: { path: { project, table } }, signal })),
  });

export const openApiQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "openapi"],
    queryFn: ({ signal }) =>
      take(api.GET("/admin/v1/projects/{project}/openapi.json", { params: { path: { project } }, signal })),
  });

export interface AuditFilter {
  project?: string;
  actor?: string;
  action?: string;
  target?: string;
  from?: string;
  to?: string;
}

export const auditQuery = (filter: AuditFilter, cursor: string | undefined, limit = 50) =>
  queryOptions({
    queryKey: ["audit", filter, cursor, limit],
    queryFn: ({ signal }) =>
      take(
        api.GET("/admin/v1/audit", {
          params: { query: { ...filter, limit, ...(cursor ? { cursor } : {}) } },
          signal,
        }),
      ),
    placeholderData: keepPreviousData,
  });
