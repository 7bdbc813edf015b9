import { useParams } from "@tanstack/react-router";

/** The project in the address. */
export function useProject(): string {
  return useParams({ strict: false, select: (params: { project?: string }) => params.project }) ?? "";
}
