/**
 * What the tests of the dashboard have in common, besides what all tests of
 * pages have (`tests/browser`).
 *
 * `ATLASHUB_TEST_DOCS=1` puts the pictures that the docs show where they are.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Browser as AnyBrowser } from "../../../tests/browser/browser.js";
import { accessible as isAccessible, album } from "../../../tests/browser/pictures.js";
import { Server as AnyServer } from "../../../tests/browser/server.js";

export { desktop, faultless, phone, touched } from "../../../tests/browser/browser.js";
export { freePort } from "../../../tests/browser/server.js";
export { drop } from "../../../tests/browser/carried.js";
export { code } from "../../../tests/browser/totp.js";
export { until } from "../../../tests/browser/until.js";

/** Where components are that are no part of the server. */
export const components = process.env.ATLASHUB_TEST_COMPONENTS ?? new URL("../../../plugins/dist", import.meta.url).pathname;

export const owner = { email: "owner@example.com", password: "correct horse battery staple" };

export class Server extends AnyServer {
  /** `env` is what the server has in its environment besides what all have. */
  static async start(env = {}) {
    const server = new Server();
    await server.begin({
      env,
      pages: {
        folder: new URL("../dist/www/", import.meta.url).pathname,
        name: (path) => /^\/dashboard\/?(.*)$/.exec(path)?.[1],
      },
    });
    return server;
  }

  /** The first owner, without the page for it. */
  async setUp() {
    await this.call("POST", "/admin/v1/setup", owner);
  }

  async project(name, slug, plugins = []) {
    const made = await this.call("POST", "/admin/v1/projects", { name, slug });
    for (const plugin of plugins) await this.install(slug, plugin);
    return made;
  }

  /** Puts a component into the catalogue that is not built in; with another manifest than its own, perhaps. */
  async upload(name, manifest) {
    const form = new FormData();
    if (manifest) form.append("manifest", manifest);
    form.append("component", new Blob([await readFile(join(components, `${name}.wasm`))], { type: "application/wasm" }), `${name}.wasm`);
    return this.call("POST", "/admin/v1/plugins", form);
  }

  /** A call of a plugin of a project, as an admin. */
  async plugin(slug, method, path, body, expected) {
    return this.call(method, `/p/${slug}${path}`, body, expected);
  }

  async sql(slug, sql, params = []) {
    return this.call("POST", `/admin/v1/projects/${slug}/sql`, { sql, params, mode: "write" });
  }
}

export class Browser extends AnyBrowser {
  base(server) {
    return `${server.pages}/dashboard`;
  }
}

export async function signIn(page) {
  await page.goto(`${page.base}/sign-in`);
  await page.getByLabel("Email").fill(owner.email);
  await page.getByLabel("Password").fill(owner.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Projects", level: 1 }).waitFor();
}

async function theme(page, wanted) {
  const dark = await page.evaluate(() => document.documentElement.classList.contains("dark"));
  if (dark === (wanted === "dark")) return;
  await page.evaluate((name) => {
    localStorage.setItem("atlashub.theme", JSON.stringify(name));
    window.dispatchEvent(new StorageEvent("storage", { key: "atlashub.theme" }));
  }, wanted);
  await page.waitForFunction((is) => document.documentElement.classList.contains("dark") === is, wanted === "dark");
}

/** Other projects' parts, which are looked at by them: the editor, the browser's viewer of documents. */
const exclude = [".monaco-editor", "iframe[src^='blob:']"];

export const accessible = (page, name) => isAccessible(page, name, { exclude });

/** Pictures in dark and light, on a desktop and a phone; and axe on both colours. */
export const pictures = album({
  output: new URL("output/", import.meta.url).pathname,
  theme,
  usual: "dark",
  exclude,
  docs: new URL("../../../docs/pictures/", import.meta.url).pathname,
  shown: {
    "series-24h": "overview",
    plugins: "plugins",
    sql: "sql",
    "table-goto": "tables",
    payments: "payments",
    "welcome-keys": "welcome",
    "backup-restored": "backup",
    "transfer-mapping": "import",
  },
});
