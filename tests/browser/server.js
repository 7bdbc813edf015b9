/**
 * A server of its own with empty data. `ATLASHUB_BIN` is its binary.
 *
 * `ATLASHUB_TEST_PAGES=built` takes the pages from where they are built
 * instead of from the binary, for whoever works on them.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beside } from "./beside.js";
import { timed } from "./times.js";
import { until } from "./until.js";

/** One key for all servers of tests, so that one takes what another has compiled. */
const masterKey = Buffer.from("the-master-key-of-all-it-servers").toString("base64");

/** Where all servers keep compiled code: each would compile the built-in plugins by itself. */
const compiled = process.env.ATLASHUB_TEST_COMPILED ?? join(tmpdir(), "atlashub-it-compiled");

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

export class Server {
  /** What an admin says who is one by it. */
  token = "development-token-of-tests-in-a-browser";
  log = "";

  /** `env` is what the server has in its environment besides what all have, `pages` how built pages are served. */
  async begin({ env = {}, pages } = {}) {
    this.bin = process.env.ATLASHUB_BIN;
    assert(this.bin, "set ATLASHUB_BIN to the server's binary");
    this.env = env;
    this.data = await mkdtemp(join(tmpdir(), "atlashub-pages-"));
    await mkdir(compiled, { recursive: true });
    await symlink(compiled, join(this.data, "compiled"));
    this.port = await freePort();
    this.built = pages !== undefined && process.env.ATLASHUB_TEST_PAGES === "built";
    const pagesPort = this.built ? await freePort() : this.port;
    this.url = `http://127.0.0.1:${this.port}`;
    this.pages = `http://127.0.0.1:${pagesPort}`;
    if (this.built) this.beside = beside(pagesPort, this.port, pages);
    await timed("server", () => this.up());
  }

  async up() {
    this.process = spawn(this.bin, ["serve", "--listen", `127.0.0.1:${this.port}`, "--data-dir", this.data], {
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        ATLASHUB_ENV: "development",
        ATLASHUB_DEV_ADMIN_TOKEN: this.token,
        ATLASHUB_PUBLIC_URL: this.pages,
        ATLASHUB_MASTER_KEY: masterKey,
        // A slow machine is no fault of a component.
        ATLASHUB_COMPILE_SECONDS: "600",
        ...this.env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.log = "";
    const keep = (chunk) => {
      this.log = (this.log + chunk).slice(-20_000);
    };
    this.process.stdout.on("data", keep);
    this.process.stderr.on("data", keep);
    this.ended = new Promise((resolve) => this.process.on("exit", resolve));
    await until("the server", async () => {
      assert.equal(this.process.exitCode, null, `the server ended:\n${this.log}`);
      return (await fetch(`${this.url}/readyz`)).ok;
    });
  }

  /** Ends the server as whoever runs it does, and nothing else. */
  async down() {
    this.process.kill("SIGTERM");
    await this.ended;
  }

  /** Ends it for good: nobody will read what it kept. */
  async stop() {
    this.beside?.closeAllConnections();
    this.beside?.close();
    this.process?.kill("SIGKILL");
    await this.ended;
    await rm(this.data, { recursive: true, force: true });
  }

  /** A call beside the browser. What is no text, no bytes and no form goes as JSON. */
  async send(method, path, headers, body, expected) {
    const isRaw = body === undefined || body instanceof FormData || body instanceof Uint8Array || typeof body === "string";
    const response = await fetch(this.url + path, {
      method,
      headers: { ...headers, ...(isRaw ? {} : { "content-type": "application/json" }) },
      ...(body === undefined ? {} : { body: isRaw ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    if (expected ? response.status !== expected : !response.ok) {
      throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    }
    return text ? JSON.parse(text) : undefined;
  }

  /** A call of an admin. */
  async call(method, path, body, expected) {
    return timed("calls", () => this.send(method, path, { "x-dev-admin-token": this.token }, body, expected));
  }

  /** Switches a plugin on or changes it. */
  async install(project, plugin, config) {
    await this.call("PUT", `/admin/v1/projects/${project}/plugins/${plugin}`, { enabled: true, grants: "requested", ...(config ? { config } : {}) });
  }
}
