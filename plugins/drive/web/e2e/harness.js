/**
 * A server of its own with a project, and a browser: what the tests of the
 * pages run in. Nothing here waits for time, only for what is on the page or
 * what the server answers.
 *
 * `ATLASHUB_BIN` is the server. `ATLASHUB_TEST_PAGES=built` takes the pages
 * from `dist` instead of the plugin, and `ATLASHUB_TEST_PICTURES=none` takes
 * no pictures of them, for whoever works on them.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdir, mkdtemp, readFile, readdir, rm } from "node:fs/promises";
import http from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import { chromium } from "playwright-core";

export const output = new URL("output/", import.meta.url).pathname;
export const password = "a long pass phrase";

/** Generous: a slow machine is no fault of the pages. */
export const patience = 60_000;

async function freePort() {
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

const types = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png", ".woff2": "font/woff2", ".webmanifest": "application/manifest+json" };

/** The built pages, and all else from the server: under the same address. */
function beside(port, target) {
  const dist = new URL("../dist/", import.meta.url).pathname;
  const server = http.createServer(async (request, response) => {
    const [path] = (request.url ?? "").split("?");
    const inside = /^\/p\/[^/]+\/drive\/(.*)$/.exec(path ?? "")?.[1];
    if (inside !== undefined && inside !== "settings") {
      const name = inside || "index.html";
      const bytes = await readFile(join(dist, name)).catch(() => undefined);
      response.writeHead(bytes ? 200 : 404, {
        "content-type": types[extname(name)] ?? "application/octet-stream",
        "content-security-policy":
          "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; img-src 'self' data: blob:; media-src 'self' blob:; style-src 'self' 'unsafe-inline'",
      });
      response.end(bytes);
      return;
    }
    const onward = http.request({ host: "127.0.0.1", port: target, method: request.method, path: request.url, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  server.listen(port, "127.0.0.1");
  return server;
}

export class Server {
  static async start(plugins = ["images", "files", "search", "documents", "extract", "notifications"]) {
    const server = new Server();
    server.bin = process.env.ATLASHUB_BIN;
    assert(server.bin, "set ATLASHUB_BIN to the server's binary");
    server.data = await mkdtemp(join(tmpdir(), "atlashub-drive-"));
    server.port = await freePort();
    server.built = process.env.ATLASHUB_TEST_PAGES === "built";
    server.pagesPort = server.built ? await freePort() : server.port;
    server.url = `http://127.0.0.1:${server.port}`;
    server.pages = `http://127.0.0.1:${server.pagesPort}`;
    if (server.built) server.beside = beside(server.pagesPort, server.port);
    await server.up();
    await server.admin("POST", "/admin/v1/projects", { name: "Demo", slug: "demo" });
    for (const plugin of plugins) await server.install(plugin);
    if (!server.built) await server.install("drive");
    return server;
  }

  async install(plugin, config) {
    await this.admin("PUT", `/admin/v1/projects/demo/plugins/${plugin}`, { enabled: true, grants: "requested", ...(config ? { config } : {}) });
  }

  async remove(plugin) {
    await this.admin("PUT", `/admin/v1/projects/demo/plugins/${plugin}`, { enabled: false });
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
        // A slow machine is no fault of a component.
        ATLASHUB_COMPILE_SECONDS: "600",
        ATLASHUB_EGRESS_ALLOW: process.env.ATLASHUB_EGRESS_ALLOW ?? "",
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

  token = "development-token-of-the-drive-tests";

  /** Ends the server, and nothing else. */
  async down() {
    this.process.kill("SIGTERM");
    await this.ended;
  }

  async stop() {
    this.beside?.closeAllConnections();
    this.beside?.close();
    await this.down();
    await rm(this.data, { recursive: true, force: true });
  }

  async send(method, path, headers, body) {
    const raw = body === undefined || body instanceof Uint8Array || typeof body === "string";
    const response = await fetch(this.url + path, {
      method,
      headers: { ...headers, ...(raw ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: raw ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  /** A call of an admin, beside the browser. */
  async admin(method, path, body) {
    return this.send(method, path, { "x-dev-admin-token": this.token }, body);
  }

  /** A user of the project, and the calls of one, beside the browser. */
  async user(name) {
    const email = `${name.toLowerCase()}@example.com`;
    const made = await this.admin("POST", "/admin/v1/projects/demo/users", { email, password, name, handle: name.toLowerCase() });
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

export const desktop = { width: 1360, height: 850 };
export const phone = { width: 390, height: 844 };

export class Browser {
  static async start() {
    const browser = new Browser();
    browser.profile = await mkdtemp(join(tmpdir(), "atlashub-chromium-"));
    browser.program = await chromium.launchPersistentContext(browser.profile, {
      executablePath: process.env.ATLASHUB_TEST_CHROMIUM ?? "/usr/bin/chromium",
      headless: true,
      viewport: desktop,
      locale: "en-GB",
      colorScheme: "light",
      reducedMotion: "reduce",
      acceptDownloads: true,
      args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
    });
    browser.program.setDefaultTimeout(patience);
    await mkdir(output, { recursive: true });
    return browser;
  }

  /** A page whose faults are the test's: what the console calls an error, what the policy of the page refuses. */
  async page(server) {
    const page = await this.program.newPage();
    page.faults = [];
    page.on("pageerror", (error) => page.faults.push(`thrown: ${error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      // An answer that refuses is part of what is tested; browsers log it.
      if (message.type() === "error" && !/Failed to load resource/.test(text)) page.faults.push(text);
    });
    page.base = `${server.pages}/p/demo/drive/`;
    return page;
  }

  /** Nobody is signed in any more. */
  async forget() {
    await this.program.clearCookies();
  }

  async stop() {
    await this.program.close();
    await rm(this.profile, { recursive: true, force: true });
  }
}

export async function signIn(page, user) {
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

/** The code of an authenticator (RFC 6238), `steps` of 30 seconds from now. */
export function code(secret, steps = 0) {
  const bits = [...secret.replace(/=+$/, "")].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const key = Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
  const moment = Buffer.alloc(8);
  moment.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps));
  const mac = createHmac("sha1", key).update(moment).digest();
  const at = (mac.at(-1) ?? 0) & 15;
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, "0");
}

/** What axe finds to be serious. */
export async function accessible(page, name) {
  const { violations } = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]).analyze();
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

/** Pictures in dark and light, on a desktop and a phone; and axe. */
export async function pictures(page, name) {
  if (process.env.ATLASHUB_TEST_PICTURES === "none") return;
  await page.mouse.move(0, 0);
  for (const colours of ["dark", "light"]) {
    await page.emulateMedia({ colorScheme: colours });
    for (const [device, size] of [
      ["desktop", desktop],
      ["phone", phone],
    ]) {
      await page.setViewportSize(size);
      await page.screenshot({ path: join(output, `${name}-${colours}-${device}.png`) });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
      assert(wide <= 1, `${name} is ${wide} px wider than the window of a ${device}`);
      if (device === "desktop" || colours === "dark") await accessible(page, `${name} (${colours}, ${device})`);
    }
    await page.setViewportSize(desktop);
  }
  await page.emulateMedia({ colorScheme: "light" });
}

export function faultless(page) {
  assert.deepEqual(page.faults, []);
}
