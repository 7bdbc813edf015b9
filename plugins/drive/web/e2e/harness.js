/**
 * What the tests of the drive have in common, besides what all tests of pages
 * have (`tests/browser`).
 */
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Browser as AnyBrowser } from "../../../../tests/browser/browser.js";
import { album } from "../../../../tests/browser/pictures.js";
import { Server as AnyServer } from "../../../../tests/browser/server.js";
import { until } from "../../../../tests/browser/until.js";

export { desktop, faultless, phone, touched } from "../../../../tests/browser/browser.js";
export { accessible } from "../../../../tests/browser/pictures.js";
export { freePort } from "../../../../tests/browser/server.js";
export { drop, paste } from "../../../../tests/browser/carried.js";
export { code } from "../../../../tests/browser/totp.js";
export { until } from "../../../../tests/browser/until.js";

export const password = "a long pass phrase";

/** A server with the project `demo`, whose users have a drive. */
export class Server extends AnyServer {
  /** `env` is what the server has in its environment besides what all have. */
  static async start(plugins = ["images", "files", "search", "documents", "extract", "notifications"], env = {}) {
    const server = new Server();
    await server.begin({
      env,
      pages: {
        folder: new URL("../dist/", import.meta.url).pathname,
        name: (path) => {
          const inside = /^\/p\/[^/]+\/drive\/(.*)$/.exec(path)?.[1];
          return inside === "settings" ? undefined : inside;
        },
        policy: "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'",
      },
    });
    await server.call("POST", "/admin/v1/projects", { name: "Demo", slug: "demo" });
    for (const plugin of plugins) await server.install("demo", plugin);
    if (!server.built) await server.install("demo", "drive");
    return server;
  }

  /** A user of the project, and the calls of one, beside the browser. */
  async user(name) {
    const email = `${name.toLowerCase()}@example.com`;
    const made = await this.call("POST", "/admin/v1/projects/demo/users", { email, password, name, handle: name.toLowerCase() });
    const { access_token } = await this.send("POST", "/p/demo/v1/auth/login", {}, { email, password });
    const call = (method, path, body, headers) => this.send(method, `/p/demo${path}`, { authorization: `Bearer ${access_token}`, ...headers }, body);
    return { id: made.id, name, email, call, upload: (path, bytes) => call("POST", "/files/upload", bytes, { "file-path": encodeURIComponent(path) }) };
  }

  /** The last mail to an address. */
  async mail(to) {
    const folder = join(this.data, "outbox");
    return until(`a mail to ${to}`, async () => {
      const names = (await readdir(folder)).toSorted().toReversed();
      for (const name of names) {
        const text = await readFile(join(folder, name), "utf8");
        if (text.includes(to)) return text;
      }
      return undefined;
    });
  }
}

export class Browser extends AnyBrowser {
  static settings = { locale: "en-GB", colorScheme: "light" };

  base(server) {
    return `${server.pages}/p/demo/drive/`;
  }
}

export async function signIn(page, user) {
  // Whoever was signed in by a test that failed.
  await page.context().clearCookies();
  await page.goto(page.base);
  await page.getByLabel("Email").fill(user.email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "My files", level: 1 }).waitFor();
}

export async function signOut(page) {
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
}

/** Chooses an action of a file or a folder. */
export async function act(page, name, action) {
  await page.getByRole("button", { name: `Actions for ${name}`, exact: true }).click();
  await page.getByRole("menuitem", { name: action, exact: true }).click();
}

export function entry(page, name) {
  return page.getByRole("listitem").filter({ has: page.getByRole("checkbox", { name: `Choose ${name}`, exact: true }) });
}

/** Pictures in dark and light, on a desktop and a phone; and axe. */
export const pictures = album({
  output: new URL("output/", import.meta.url).pathname,
  theme: (page, colorScheme) => page.emulateMedia({ colorScheme }),
  usual: "light",
  docs: new URL("../../../../docs/pictures/", import.meta.url).pathname,
  shown: { share: "drive" },
});
