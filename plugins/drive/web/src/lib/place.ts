/**
 * Where the project's interface is: the pages lie below `/p/<slug>` or at the
 * top of a domain, and the interface beside them.
 */
export function baseOf(pathname: string): string {
  return /^\/p\/[^/]+(?=\/)/.exec(pathname)?.[0] ?? "";
}

const base = baseOf(window.location.pathname);

/** The address of a call. */
export function at(path: string): string {
  return base + path;
}

/** The address of these pages, for links to them. */
export function pageAt(hash: string): string {
  const here = new URL(window.location.href);
  here.hash = hash;
  here.search = "";
  return here.href.replace(/#$/, "");
}
