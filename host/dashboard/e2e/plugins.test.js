import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Browser, Server, components, drop, faultless, pictures, signIn, until } from "./harness.js";

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

test("a component that is dropped is upgraded, with what it asks for more, and rolled back", async () => {
  const answers = () => server.plugin("shop", "GET", "/upgrade");
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/plugins`);
  await page.getByRole("button", { name: "Install storage" }).or(page.getByRole("switch", { name: "storage is on" })).waitFor();
  await drop(page, [{ name: "upgrade.wasm", bytes: await readFile(join(components, "fixtures/upgrade.wasm")) }], "Drop the component to deploy it");
  await page.getByRole("button", { name: "Deploy", exact: true }).click();
  await page.getByRole("button", { name: "Allow and install" }).click();
  await page.getByRole("switch", { name: "upgrade is on" }).waitFor();
  assert.equal(await answers(), 1);

  await server.upload(
    "fixtures/upgrade-next",
    'name = "upgrade"\nversion = "2.0.0"\ndescription = "Asks for more"\ngrants = ["kv", "channel"]\n[[routes]]\npath = "/upgrade"\n[[routes]]\npath = "/upgraded"\n',
  );
  await page.reload();
  await page.getByRole("button", { name: "Upgrade upgrade to 2.0.0" }).click();
  await page.getByRole("heading", { name: "upgrade 1.0.0 → 2.0.0" }).waitFor();
  await page.getByText("It asks for more than before.").waitFor();
  assert.equal(await page.getByRole("dialog").getByText("new", { exact: true }).count(), 2);
  await pictures(page, "plugin-upgrade");
  await page.getByRole("button", { name: "Allow and switch" }).click();
  await until("the upgrade", async () => (await installed("upgrade")).version === "2.0.0");
  assert.deepEqual((await installed("upgrade")).grants.toSorted(), ["channel", "kv"]);
  assert.equal(await answers(), 2);

  await page.getByRole("link", { name: "upgrade", exact: true }).click();
  await page.getByRole("tab", { name: "Grants" }).click();
  await page.getByRole("switch", { name: "Hold connections of clients" }).click();
  await until("the grant", async () => (await installed("upgrade")).grants.join() === "kv");
  await pictures(page, "plugin-grants");
  await page.getByRole("tab", { name: "Revisions" }).click();
  await page.getByText("runs now").waitFor();
  await pictures(page, "plugin-revisions");
  await page.getByRole("button", { name: "Roll back" }).click();
  await page.getByText(/No longer asks to/).waitFor();
  await page.getByText(/It no longer answers at/).waitFor();
  await page.getByRole("button", { name: "Allow and switch" }).click();
  await until("the way back", async () => (await installed("upgrade")).version === "1.0.0");
  assert.equal(await answers(), 1);
  faultless(page);
  await page.close();
});

test("lines of a plugin are followed, filtered, held and cleared", async () => {
  await server.upload("fixtures/misbehave");
  await server.install("shop", "misbehave");
  const says = (text) => server.plugin("shop", "GET", `/misbehave/says?text=${text}`);
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/plugins/misbehave?tab=logs`);
  await page.getByText("live", { exact: true }).waitFor();
  // Each is told with the part of the plugin that wrote it.
  const lines = async () => (await page.getByRole("log").getByText(/line-/).allTextContents()).map((line) => line.replace(/^\[.*\] /, "")).join();
  const shown = (wanted) => until(`the lines ${wanted}`, async () => (await lines()) === wanted);
  await says("line-one");
  await says("line-two");
  await shown("line-one,line-two");
  await page.getByLabel("Filter lines").fill("TWO");
  await shown("line-two");
  await page.getByLabel("Filter lines").fill("");
  await page.getByRole("button", { name: "Pause" }).click();
  await page.getByText("paused", { exact: true }).waitFor();
  await says("line-three");
  await until("the line", async () => {
    const kept = await server.call("GET", "/admin/v1/projects/shop/plugins/misbehave/logs?q=line-three");
    return kept.items.length === 1;
  });
  assert.equal(await lines(), "line-one,line-two");
  await page.getByRole("button", { name: "Go on" }).click();
  await shown("line-one,line-two,line-three");
  await page.getByLabel("Level").selectOption("warn");
  await page.getByText("Nothing yet.").waitFor();
  await page.getByLabel("Level").selectOption("");
  await shown("line-one,line-two,line-three");
  await page.getByRole("button", { name: "Clear" }).click();
  await says("line-four");
  await shown("line-four");
  faultless(page);
  await page.close();
});
