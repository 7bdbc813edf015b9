/** What the pages survive: nothing installed, names made to break them, a server that fails. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, Server, faultless, pictures, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
const bad = '<img src=x onerror="document.title=1"> & "quotes" \'; DROP TABLE x; -- \u202egnp.exe 🦒';
const inProject = ["", "/plugins", "/tables", "/sql", "/database", "/database?tab=transfer", "/database?tab=migrations", "/storage", "/users", "/users?tab=roles", "/users?tab=settings", "/users?tab=mails", "/keys", "/cron", "/payments", "/queue", "/queue?tab=schedules", "/logs", "/api", "/settings"];
const ofPlugin = ["routes", "configuration", "grants", "metrics", "limits", "revisions"].map((tab) => `/plugins/db?tab=${tab}`);
const onPlatform = ["/projects", "/plugins", "/audit", "/admins", "/backups", "/platform", "/account"];
before(async () => {
  server = await Server.start();
  browser = await Browser.start();
  await server.setUp();
  await server.project("Bare", "bare");
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

/** Waits until a page has said all that it has to say. */
async function settled(page) {
  await page.getByRole("heading", { level: 1 }).first().waitFor();
  await until("an end of loading", async () => (await page.locator('[aria-busy="true"], [role="status"][aria-label="Loading"]').count()) === 0);
}

test("a project without any plugin has all its pages", async () => {
  assert.deepEqual((await server.call("GET", "/admin/v1/projects/bare/plugins")).items.filter(({ enabled }) => enabled), []);
  const page = await browser.page(server);
  for (const path of inProject) {
    await page.goto(`${page.base}/projects/bare${path}`);
    await settled(page);
    assert.equal(await page.getByText("This could not be shown").count(), 0, path);
  }
  await page.goto(`${page.base}/projects/bare/payments`);
  await page.getByText("The plugin for payments is not on").waitFor();
  await pictures(page, "payments-off");
  faultless(page);
  await page.close();
});

test("names that are made to break markup are names on every page", async () => {
  const { keys } = await server.project(bad, "strange", ["db", "storage", "cron"]);
  const at = "/admin/v1/projects/strange";
  await server.sql("strange", `CREATE TABLE "${bad.replaceAll('"', '""')}" ("id" INTEGER PRIMARY KEY, "<b>column</b>" TEXT)`);
  await server.sql("strange", `INSERT INTO "${bad.replaceAll('"', '""')}" VALUES (1, $1)`, [bad]);
  await server.call("POST", `${at}/users`, { email: "ada@example.com", name: bad });
  await server.call("POST", `${at}/keys`, { kind: "secret", name: bad });
  const job = await fetch(`${server.url}/cron/jobs`, {
    method: "POST",
    headers: { "x-api-key": keys.secret, "content-type": "application/json" },
    body: JSON.stringify({ name: bad, type: "platform", action: "cleanup", schedule: "0 2 * * *" }),
  });
  assert.equal(job.status, 201);
  const page = await browser.page(server);
  for (const path of [...[...inProject, ...ofPlugin].map((one) => `/projects/strange${one}`), ...onPlatform]) {
    await page.goto(`${page.base}${path}`);
    await settled(page);
    const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
    assert(wide <= 1, `${path} is ${wide} px too wide`);
    assert.equal(await page.locator('img[src="x"], td b, th b').count(), 0, path);
    assert.notEqual(await page.title(), "1", path);
  }
  await page.goto(`${page.base}/projects/strange/tables`);
  await page.getByRole("link", { name: bad.slice(0, 20) }).first().click();
  await page.getByRole("gridcell", { name: bad }).waitFor();
  await page.getByRole("gridcell", { name: bad }).dblclick();
  await page.keyboard.press("End");
  await page.keyboard.type("!");
  await page.keyboard.press("Enter");
  await until("the change", async () => (await server.sql("strange", `SELECT "<b>column</b>" FROM "${bad.replaceAll('"', '""')}"`)).rows[0][0] === `${bad}!`);
  await pictures(page, "strange-table");
  await page.goto(`${page.base}/projects/strange/cron`);
  await page.getByRole("main").getByRole("button", { name: bad.slice(0, 20) }).first().click();
  await page.getByRole("dialog").getByRole("heading", { name: bad.slice(0, 20) }).waitFor();
  faultless(page);
  await page.close();
});

test("a failing server is told of on every page, and nothing else breaks", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects`);
  await settled(page);
  let failing = true;
  const refuse = (route) => {
    const path = new URL(route.request().url()).pathname;
    if (!failing || path === "/admin/v1/session" || path === "/admin/v1/setup") return route.continue();
    return route.fulfill({ status: 500, contentType: "application/problem+json", body: JSON.stringify({ status: 500, code: "internal", detail: "something broke" }) });
  };
  await page.route("**/admin/v1/**", refuse);
  await page.route("**/p/**", refuse);
  for (const path of [...[...inProject, ...ofPlugin].map((one) => `/projects/strange${one}`), ...onPlatform]) {
    await page.goto(`${page.base}${path}`);
    await page
      .getByRole("heading", { level: 1 })
      .first()
      .waitFor()
      .catch((error) => {
        throw new Error(`${path} has no head when the server fails`, { cause: error });
      });
    // The account is all the session's, the platform's page asks elsewhere, the
    // editor and the logs need nothing to be there.
    if (["/account", "/platform", "/projects/strange/sql", "/projects/strange/logs"].includes(path)) continue;
    await page
      .getByText(/Something broke/)
      .first()
      .waitFor()
      .catch((error) => {
        throw new Error(`${path} does not say that the server fails`, { cause: error });
      });
  }
  failing = false;
  await page.goto(`${page.base}/projects/strange/cron`);
  await page.getByRole("button", { name: bad.slice(0, 20) }).first().waitFor();
  faultless(page);
  await page.close();
});
