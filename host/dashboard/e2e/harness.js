/**
 * A server of its own with empty data, and a browser: what the tests of the
 * pages run in. Nothing here waits for time, only for what is on the page or
 * what the server answers.
 *
 * `ATLASHUB_BIN` is the server. `ATLASHUB_TEST_PAGES=built` takes the pages
 * from `dist/www` instead of the binary, for whoever works on them.
 * `ATLASHUB_TEST_DOCS=1` puts the pictures that the docs show where they are.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtemp, mkdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";

/** Where components are that are no part of the server. */
export const components = process.env.ATLASHUB_TEST_COMPONENTS ?? new URL("../../../plugins/dist", import.meta.url).pathname;

export const output = new URL("output/", import.meta.url).pathname;
export const owner = { email: "owner@example.com", password: "correct horse battery staple" };

/** Generous: a slow machine is no fault of the pages. Who works on them may want to know sooner. */
export const patience = Number(process.env.ATLASHUB_TEST_PATIENCE ?? 60_000);

export async function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = /** @type {import("node:net").AddressInfo} */ (server.address());
      server.close(() => resolve(port));
    });
  });
}

/** Asks until the answer is what is wanted. */
export async function until(what, ask) {
  const end = Date.now() + patience;
  let last;
  while (Date.now() < end) {
    try {
      last = await ask();
      if (last) return last;
    } catch (error) {
      last = error;
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  throw new Error(`waited in vain for ${what}; last: ${last}`);
}

export class Server {
  /** `env` is what the server has in its environment besides what all have. */
  static async start(env = {}) {
    const server = new Server();
    server.env = env;
    server.bin = process.env.ATLASHUB_BIN;
    assert(server.bin, "set ATLASHUB_BIN to the server's binary");
    server.data = await mkdtemp(join(tmpdir(), "atlashub-dashboard-"));
    server.port = await freePort();
    server.built = process.env.ATLASHUB_TEST_PAGES === "built";
    server.pagesPort = server.built ? await freePort() : server.port;
    server.url = `http://127.0.0.1:${server.port}`;
    server.pages = `http://127.0.0.1:${server.pagesPort}`;
    await server.up();
    if (server.built) {
      server.preview = spawn(
        "node_modules/.bin/vite",
        ["preview", "--host", "127.0.0.1", "--port", String(server.pagesPort), "--strictPort"],
        { cwd: new URL("..", import.meta.url).pathname, env: { ...process.env, ATLASHUB_URL: server.url }, stdio: "ignore" },
      );
      await until("the built pages", async () => (await fetch(`${server.pages}/dashboard/`)).ok);
    }
    return server;
  }

  async up() {
    this.log = "";
    this.process = spawn(this.bin, ["serve", "--listen", `127.0.0.1:${this.port}`, "--data-dir", this.data], {
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        ATLASHUB_ENV: "development",
        ATLASHUB_DEV_ADMIN_TOKEN: this.token,
        ATLASHUB_PUBLIC_URL: this.pages,
        // One key for all servers: what one has compiled the others take.
        ATLASHUB_MASTER_KEY: Buffer.from("the-master-key-of-all-e2e-server").toString("base64"),
        ATLASHUB_CACHE_DIR: process.env.ATLASHUB_CACHE_DIR ?? join(tmpdir(), "atlashub-e2e-compiled"),
        // A slow machine is no fault of a component either.
        ATLASHUB_COMPILE_SECONDS: "600",
        ...this.env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    const keep = (chunk) => {
      this.log = (this.log + chunk).slice(-20_000);
    };
    this.process.stdout.on("data", keep);
    this.process.stderr.on("data", keep);
    this.ended = new Promise((resolve) => this.process.on("exit", resolve));
    await until("the server", async () => {
      if (this.process.exitCode !== null) throw new Error(`the server ended:\n${this.log}`);
      return (await fetch(`${this.url}/readyz`)).ok;
    });
  }

  token = "development-token-of-the-dashboard-tests";

  /** Ends the server, and nothing else. */
  async down() {
    this.process.kill("SIGTERM");
    await this.ended;
  }

  async stop() {
    this.preview?.kill("SIGTERM");
    await this.down();
    await rm(this.data, { recursive: true, force: true });
  }

  /** A call of the admin interface, beside the browser. */
  async call(method, path, body, expected) {
    const form = body instanceof FormData;
    const response = await fetch(this.url + path, {
      method,
      headers: {
        "x-dev-admin-token": this.token,
        ...(body === undefined || form ? {} : { "content-type": "application/json" }),
      },
      ...(body === undefined ? {} : { body: form ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    if (expected ? response.status !== expected : !response.ok) {
      throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    }
    return text ? JSON.parse(text) : undefined;
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

  /** Puts a component into the catalogue that is not built in. */
  async upload(name) {
    const form = new FormData();
    form.append("component", new Blob([await readFile(join(components, `${name}.wasm`))], { type: "application/wasm" }), `${name}.wasm`);
    return this.call("POST", "/admin/v1/plugins", form);
  }

  /** A call of a plugin of a project, as an admin. */
  async plugin(slug, method, path, body, expected) {
    return this.call(method, `/p/${slug}${path}`, body, expected);
  }

  async install(slug, plugin) {
    await this.call("PUT", `/admin/v1/projects/${slug}/plugins/${plugin}`, { enabled: true, grants: "requested" });
  }

  async sql(slug, sql, params = []) {
    return this.call("POST", `/admin/v1/projects/${slug}/sql`, { sql, params, mode: "write" });
  }
}

export const desktop = { width: 1360, height: 850 };
export const phone = { width: 390, height: 844 };

export class Browser {
  static async start() {
    const browser = new Browser();
    browser.profile = await mkdtemp(join(tmpdir(), "atlashub-chromium-"));
    browser.context = await chromium.launchPersistentContext(browser.profile, {
      executablePath: process.env.ATLASHUB_TEST_CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      viewport: desktop,
      reducedMotion: "reduce",
      acceptDownloads: true,
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
      ],
    });
    browser.context.setDefaultTimeout(patience);
    await mkdir(output, { recursive: true });
    return browser;
  }

  /** A page whose faults are the test's: what the console calls an error, what the policy of the page refuses. */
  async page(server) {
    const page = await this.context.newPage();
    page.faults = [];
    page.on("pageerror", (error) => page.faults.push(`thrown: ${error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      // An answer that refuses is part of what is tested; browsers log it.
      if (message.type() === "error" && !/Failed to load resource/.test(text)) page.faults.push(text);
    });
    page.base = `${server.pages}/dashboard`;
    return page;
  }

  async stop() {
    await this.context.close();
    await rm(this.profile, { recursive: true, force: true });
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
  await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** What axe finds to be serious. */
export async function accessible(page, name) {
  const { violations } = await new AxeBuilder({ page })
    .withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"])
    // The editor is another project's; its own parts are looked at by them.
    .exclude(".monaco-editor")
    .analyze();
  const grave = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  const told = grave.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}\n${nodes
        .slice(0, 4)
        .map((node) => `    ${node.html.slice(0, 200)}\n      ${node.failureSummary?.replaceAll("\n", " ").slice(0, 300)}`)
        .join("\n")}`,
  );
  assert.deepEqual(told, [], `axe on ${name}:\n${told.join("\n")}`);
}

/** Those pictures that the docs show, and what they are called there. */
const shown = {
  "series-24h": "overview",
  plugins: "plugins",
  sql: "sql",
  "welcome-keys": "welcome",
  "backup-restored": "backup",
  "transfer-mapping": "import",
};

/** Pictures in dark and light, on a desktop and a phone; and axe on both colours. `ATLASHUB_TEST_PICTURES=none` leaves them out. */
export async function pictures(page, name) {
  if (process.env.ATLASHUB_TEST_PICTURES === "none") return;
  await page.mouse.move(0, 0);
  for (const colours of ["dark", "light"]) {
    await theme(page, colours);
    for (const [device, size] of [
      ["desktop", desktop],
      ["phone", phone],
    ]) {
      await page.setViewportSize(size);
      const path = join(output, `${name}-${colours}-${device}.png`);
      await page.screenshot({ path });
      const docs = process.env.ATLASHUB_TEST_DOCS && colours === "dark" && device === "desktop" ? shown[name] : undefined;
      if (docs) await copyFile(path, new URL(`../../../docs/pictures/${docs}.png`, import.meta.url));
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert(wide <= 1, `${name} is ${wide} px wider than the window of a ${device}`);
      if (device === "desktop" || colours === "dark") await accessible(page, `${name} (${colours}, ${device})`);
    }
    await page.setViewportSize(desktop);
  }
  await theme(page, "dark");
}

export function faultless(page) {
  assert.deepEqual(page.faults, []);
}
