import { queryOptions } from "@tanstack/react-query";
import { api, take } from "@/api/client";

export const rolesQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "roles"],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/roles", { params: { path: { project } }, signal })),
  });

export const permissionsQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "permissions"],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/permissions", { params: { path: { project } }, signal })),
  });

export const providersQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "providers"],
    queryFn: ({ signal }) => take(api.GET("/admin/v1/projects/{project}/auth/providers", { params: { path: { project } }, signal })),
  });

export interface MailTemplate {
  subject: string;
  text: string;
  html?: string;
}

/** How a project lets its users in; the description of the interface leaves its form open. */
export interface AuthSettings {
  enabled: boolean;
  sign_up: "open" | "invite" | "closed";
  password_min_characters: number;
  access_token_seconds: number;
  refresh_token_seconds: number;
  require_verified_email: boolean;
  redirect_urls: string[];
  mail_templates: Record<string, MailTemplate>;
}

export const authQuery = (project: string) =>
  queryOptions({
    queryKey: ["project", project, "auth"],
    queryFn: async ({ signal }) =>
      (await take(api.GET("/admin/v1/projects/{project}/auth", { params: { path: { project } }, signal }))) as AuthSettings,
  });
