import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { join } from "node:path";
import { Browser, Server, faultless, pictures, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
before(async () => {
  server = await Server.start();
  browser = await Browser.start();
  await server.setUp();
  await server.project("Shop", "shop", ["db"]);
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

const components = process.env.ATLASHUB_TEST_COMPONENTS ?? new URL("../../../plugins/dist", import.meta.url).pathname;
const installed = async (name) => (await server.call("GET", "/admin/v1/projects/shop/plugins")).items.find((plugin) => plugin.name === name);

test("a plugin is installed with what it was allowed, and switched off and on", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/plugins`);
  await page.getByRole("button", { name: "Install storage" }).waitFor();
  await pictures(page, "plugins");
  await page.getByRole("button", { name: "Install storage" }).click();
  await page.getByText("Keep tables of its own").waitFor();
  await pictures(page, "consent");
  await page.getByRole("checkbox", { name: /Write into the audit/ }).click();
  await page.getByRole("button", { name: "Allow and install" }).click();
  const toggle = page.getByRole("switch", { name: "storage is on" });
  await toggle.waitFor();
  const storage = await installed("storage");
  assert(storage.grants.includes("sql"));
  assert(!storage.grants.includes("audit"));
  await toggle.click();
  await until("the switch", async () => (await installed("storage")).enabled === false);
  await toggle.click();
  await until("the switch", async () => (await installed("storage")).enabled === true);
  faultless(page);
  await page.close();
});

test("a plugin is configured by the form of its schema", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/plugins/storage?tab=configuration`);
  const seconds = page.getByLabel(/How long a link is good for/);
  await seconds.fill("5");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("At least 10.").waitFor();
  await seconds.fill("120");
  await pictures(page, "plugin-configuration");
  await page.getByRole("button", { name: "Save" }).click();
  await until("the configuration", async () => (await installed("storage")).config.link_seconds === 120);

  await page.getByRole("tab", { name: "Limits" }).click();
  await page.getByLabel(/Memory/).fill("96");
  await pictures(page, "plugin-limits");
  await page.getByRole("button", { name: "Save" }).click();
  await until("the limit", async () => (await installed("storage")).limits.memory_mib === 96);
  faultless(page);
  await page.close();
});

test("a route is tried, and metrics and logs tell of it", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/plugins/db?tab=routes`);
  await page.getByRole("button", { name: /\/v1\/db\/tables$/ }).click();
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("200").first().waitFor();
  await pictures(page, "plugin-routes");
  await page.getByRole("tab", { name: "Metrics" }).click();
  await page.getByRole("heading", { name: "Latency" }).waitFor();
  await pictures(page, "plugin-metrics");
  await page.getByRole("tab", { name: "Logs" }).click();
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await pictures(page, "plugin-logs");
  faultless(page);
  await page.close();
});

test("a component is deployed by dropping it, and removed again", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/plugins`);
  await page.getByLabel("Component", { exact: true }).setInputFiles(join(components, "hello.wasm"));
  await page.getByRole("heading", { name: "Deploy a component" }).waitFor();
  await pictures(page, "deploy");
  await page.getByRole("button", { name: "Deploy", exact: true }).click();
  await page.getByRole("button", { name: "Allow and install" }).click();
  await page.getByRole("switch", { name: "hello is on" }).waitFor();
  assert.equal((await installed("hello")).enabled, true);

  await page.getByRole("link", { name: "hello" }).click();
  await page.getByRole("button", { name: "Remove" }).click();
  await page.getByRole("button", { name: "Remove the plugin" }).click();
  await until("the removal", async () => (await installed("hello")) === undefined);
  faultless(page);
  await page.close();
});
