/** A browser, and pages whose faults are the test's. `ATLASHUB_TEST_CHROMIUM` is its program. */
import assert from "node:assert/strict";
import { chromium } from "playwright-core";
import { timed } from "./times.js";
import { patience } from "./until.js";

export const desktop = { width: 1360, height: 850 };
export const phone = { width: 390, height: 844 };
/** A phone that is touched, and not only a narrow window. */
export const touched = { viewport: phone, isMobile: true, hasTouch: true, deviceScaleFactor: 2 };

/** Starts the program alone. */
export async function launch() {
  return chromium.launch({
    executablePath: process.env.ATLASHUB_TEST_CHROMIUM ?? "/usr/bin/chromium",
    headless: true,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
    timeout: patience,
  });
}

/** Who looks at pages: cookies and caches of its own. */
export class Browser {
  /** What contexts of these pages have besides what all have, as Playwright calls it. */
  static settings = {};

  static async start() {
    const browser = new this();
    browser.program = await timed("browser", launch);
    await browser.begin();
    return browser;
  }

  /** Somebody else, in the same program; on something else, perhaps. */
  async another(device = {}) {
    const other = new this.constructor();
    other.program = this.program;
    other.isGuest = true;
    await other.begin(device);
    return other;
  }

  async begin(device = {}) {
    this.context = await this.program.newContext({ viewport: desktop, reducedMotion: "reduce", acceptDownloads: true, ...this.constructor.settings, ...device });
    this.context.setDefaultTimeout(patience);
  }

  /** Where the pages of a server begin. */
  base(server) {
    return server.pages;
  }

  /** A page that keeps its faults: what the console calls an error, what the policy of the page refuses. */
  async page(server) {
    const page = await timed("page", () => this.context.newPage());
    page.faults = [];
    page.on("pageerror", (error) => page.faults.push(`thrown: ${error.message}`));
    page.on("console", (message) => {
      const text = message.text();
      // An answer that refuses is part of what is tested; browsers log it.
      if (message.type() === "error" && !/Failed to load resource/.test(text)) page.faults.push(text);
    });
    page.base = this.base(server);
    return page;
  }

  /** Nobody is signed in any more. */
  async forget() {
    await this.context.clearCookies();
  }

  async stop() {
    await this.context.close();
    if (!this.isGuest) await this.program.close();
  }
}

export function faultless(page) {
  assert.deepEqual(page.faults, []);
}
