/** The bytes of files: as a page may show them, and as a browser saves them. */
import { ask, call } from "./api";

/** Addresses of pictures in memory; given back when nobody shows them. */
export async function blobUrl(path: string, params: Record<string, string | number>, signal: AbortSignal): Promise<string> {
  const response = await ask("GET", path, { params, signal });
  return URL.createObjectURL(await response.blob());
}

/** A link to the bytes that is good for some minutes, without a token. */
export async function signedLink(id: string, disposition: "inline" | "attachment", version?: number): Promise<string> {
  const { url } = await call<{ url: string }>("GET", `/files/${id}/download`, { params: { link: true, disposition, version } });
  return here(url);
}

/** What this very server signs it answers at every name that it has, this page's among them. */
function here(url: string): string {
  const { pathname, search } = new URL(url, window.location.href);
  return pathname.startsWith("/_/blob/") ? pathname + search : url;
}

/** Has the browser save what lies at an address. */
export function save(url: string, name: string): void {
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.download = name;
  anchor.rel = "noreferrer";
  document.body.append(anchor);
  anchor.click();
  anchor.remove();
}

export async function download(id: string, name: string, version?: number): Promise<void> {
  save(await signedLink(id, "attachment", version), name);
}

/** Several files and folders as one archive. */
export async function downloadAll(ids: string[], folders: string[], name: string): Promise<void> {
  const response = await ask("POST", "/files/zip", { json: { ids, folder_ids: folders } });
  const url = URL.createObjectURL(await response.blob());
  save(url, name);
  window.setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
