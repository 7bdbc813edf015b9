import { AtlasHubError } from "./error.js";

/** What proves that whoever began a sign-in also ends it (PKCE, RFC 7636). */
export interface Pkce {
  /** Stays with the application until the browser is back. */
  verifier: string;
  /** Goes along with the browser. */
  challenge: string;
}

/** Makes one. In browsers `crypto.subtle` is there on https and localhost only. */
export async function newPkce(): Promise<Pkce> {
  const verifier = base64Url(crypto.getRandomValues(new Uint8Array(32)));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  return { verifier, challenge: base64Url(new Uint8Array(digest)) };
}

/**
 * The code in the address that the browser has come back to. Throws an
 * `AtlasHubError` with the `error_code` where there is none.
 */
export function codeFrom(address: string): string {
  const query = new URL(address).searchParams;
  const code = query.get("code");
  if (code !== null && !query.has("error")) return code;
  throw new AtlasHubError(0, {
    code: query.get("error_code") ?? query.get("error") ?? "no_code",
    detail: query.get("error_description") ?? "the address has no code",
  });
}

function base64Url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
}
