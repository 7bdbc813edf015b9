/**
 * For a page that a plugin brings into the dashboard. It runs in a sandboxed frame without an
 * origin; the dashboard around it hands it a token for the routes of its own plugin, and a new
 * one before that ends.
 */

/** How the dashboard looks. */
export type Theme = "dark" | "light";

/** The messages from the dashboard. */
interface Told {
  atlashub?: unknown;
  token?: unknown;
  project?: unknown;
  plugin?: unknown;
  theme?: unknown;
}

/** What a page needs of the window it runs in: another one for tests. */
export interface PageWindow {
  /** The window around it. */
  readonly parent: { postMessage(message: unknown, origin: string): void };
  addEventListener(type: "message", listener: (event: { source: unknown; data: unknown }) => void): void;
  fetch(input: string | URL, init?: RequestInit): Promise<Response>;
}

/** A page that the dashboard knows. */
export interface DashboardPage {
  /** The project's name in addresses. */
  readonly project: string;
  /** The plugin's name. */
  readonly plugin: string;
  /** How the dashboard looks now. */
  readonly theme: Theme;
  /** Calls a route of the plugin as the admin; addresses count from the page. A token that has ended is replaced, once. */
  fetch(address: string | URL, init?: RequestInit): Promise<Response>;
  /** Calls `listener` with the theme, now and when it changes. */
  onTheme(listener: (theme: Theme) => void): void;
}

/** Says that the page is ready, and waits for the dashboard. */
export function connectPage(around: PageWindow = globalThis as unknown as PageWindow): Promise<DashboardPage> {
  let token = "";
  let theme: Theme = "dark";
  const themes: ((theme: Theme) => void)[] = [];
  let awaited: (() => void)[] = [];

  const renewed = () =>
    new Promise<void>((resolve) => {
      awaited.push(resolve);
      around.parent.postMessage({ atlashub: "renew" }, "*");
    });
  const call = (address: string | URL, init: RequestInit | undefined) => {
    const headers = new Headers(init?.headers);
    headers.set("authorization", `Bearer ${token}`);
    return around.fetch(address, { ...init, headers });
  };

  return new Promise((connected) => {
    around.addEventListener("message", (event) => {
      const told = event.data as Told | null;
      if (event.source !== around.parent || typeof told !== "object" || told === null) return;
      if (told.theme === "dark" || told.theme === "light") {
        theme = told.theme;
        for (const listener of themes) listener(theme);
      }
      if (typeof told.token !== "string") return;
      token = told.token;
      for (const resolve of awaited) resolve();
      awaited = [];
      if (told.atlashub !== "hello") return;
      connected({
        project: String(told.project),
        plugin: String(told.plugin),
        get theme() {
          return theme;
        },
        async fetch(address, init) {
          const answer = await call(address, init);
          // A body that was sent as a stream is gone: the caller tries again.
          if (answer.status !== 401 || init?.body instanceof ReadableStream) return answer;
          await renewed();
          return call(address, init);
        },
        onTheme(listener) {
          themes.push(listener);
          listener(theme);
        },
      });
    });
    around.parent.postMessage({ atlashub: "ready" }, "*");
  });
}
