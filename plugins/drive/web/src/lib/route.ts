/**
 * Where in the pages one is. It stands behind `#`, so that the files lie at one
 * address, and the token of a link never leaves the browser with a request.
 */
import { useSyncExternalStore } from "react";

export interface Route {
  page: string;
  id: string | undefined;
  query: URLSearchParams;
}

export function readRoute(hash: string): Route {
  // A link in a mail led here.
  const mailed = new URLSearchParams(hash.slice(1));
  if (mailed.get("type") === "reset_password") return { page: "reset", id: mailed.get("token") ?? undefined, query: mailed };
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [page = "", id] = path.split("/").map(safely);
  return { page: page || "files", id: id || undefined, query: new URLSearchParams(query) };
}

function safely(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function link(page: string, id?: string, query?: Record<string, string>): string {
  const words = new URLSearchParams(query).toString();
  const search = words && `?${words}`;
  return `#/${page}${id ? `/${encodeURIComponent(id)}` : ""}${search}`;
}

export function go(to: string, replace = false): void {
  if (replace) {
    window.history.replaceState(null, "", to);
    window.dispatchEvent(new HashChangeEvent("hashchange"));
  } else window.location.hash = to;
}

function subscribe(listener: () => void): () => void {
  window.addEventListener("hashchange", listener);
  return () => window.removeEventListener("hashchange", listener);
}

let seen = "";
let route = readRoute("");

function now(): Route {
  if (window.location.hash !== seen) {
    seen = window.location.hash;
    route = readRoute(seen);
  }
  return route;
}

export function useRoute(): Route {
  return useSyncExternalStore(subscribe, now);
}
