import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { join } from "node:path";
import { Browser, Server, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
const components = process.env.ATLASHUB_TEST_COMPONENTS ?? new URL("../../../plugins/dist", import.meta.url).pathname;

before(async () => {
  server = await Server.start();
  browser = await Browser.start();
  await server.setUp();
  const form = new FormData();
  form.set("component", new Blob([await readFile(join(components, "fixtures/pages.wasm"))]), "pages.wasm");
  await server.call("POST", "/admin/v1/plugins", form);
  await server.project("Shop", "shop", ["pages", "hello"]);
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

test("a plugin's page calls its plugin from a frame that reaches nothing else", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop`);
  await page.getByRole("navigation", { name: "Pages of plugins" }).getByRole("link", { name: "Inside" }).first().click();
  await page.getByRole("tab", { name: "Inside" }).waitFor();
  const element = page.locator("iframe[title='Inside']");
  await element.waitFor();
  assert.equal(await element.getAttribute("sandbox"), "allow-scripts allow-forms");
  const frame = page.frameLocator("iframe[title='Inside']");
  await frame.locator("#done").waitFor({ state: "attached" });
  const outcome = async (name) => frame.locator(`#${name}`).textContent();
  assert.equal(await outcome("origin"), "null");
  assert.equal(await outcome("caller"), "true");
  for (const name of ["cookie", "storage", "parent"]) {
    assert.match(await outcome(name), /^refused: /, name);
  }
  // Refused by the server, or not to be read for want of a header that lets other origins.
  for (const name of ["admin-by-cookie", "admin-by-token"]) {
    assert.match(await outcome(name), /^(401|403|refused: TypeError)$/, name);
  }
  assert.equal(await outcome("other-plugin"), "403");
  assert.equal(await frame.locator("html").getAttribute("data-theme"), "dark");
  await page.close();
});

test("a plugin's own pages run under their policy, outside of the dashboard too", async () => {
  const page = await browser.page(server);
  await page.goto(`${server.url}/p/shop/pages`);
  await page.getByText("the script ran, and was answered: from the plugin").waitFor();
  assert.equal(new URL(page.url()).pathname, "/p/shop/pages/");
  const refused = await page.evaluate(() => {
    const script = document.createElement("script");
    script.textContent = "globalThis.ran = true";
    document.head.append(script);
    return globalThis.ran === undefined;
  });
  assert(refused, "a script inside the page must not run");
  await page.close();
});

test("a page that is switched off is gone from the navigation", async () => {
  await server.call("PUT", "/admin/v1/projects/shop/plugins/pages", { enabled: false });
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/plugins/pages`);
  await page.getByRole("tab", { name: "Routes" }).waitFor();
  await until("the link to go", async () => (await page.getByRole("link", { name: "Inside" }).count()) === 0);
  assert.equal(await page.getByRole("tab", { name: "Inside" }).count(), 0);
  await page.close();
});
