import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, Server, faultless, pictures, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
const backups = async () => (await server.call("GET", "/admin/v1/projects/shop/backups")).items;
const names = async (project = "shop") => (await server.sql(project, "SELECT name FROM goods ORDER BY id")).rows.map(([name]) => name);

before(async () => {
  server = await Server.start();
  browser = await Browser.start();
  await server.setUp();
  await server.project("Shop", "shop", ["db", "storage"]);
  await server.sql("shop", "CREATE TABLE goods (id INTEGER PRIMARY KEY, name TEXT NOT NULL)");
  await server.sql("shop", "INSERT INTO goods (id, name) VALUES (1, 'lamp'), (2, 'chair')");
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

test("a backup is made, watched until it is ready, tested and downloaded", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop`);
  await page.getByRole("link", { name: "Database tools" }).click();
  await page.getByText("No backups yet").waitFor();
  await pictures(page, "backups-none");
  await page.getByRole("button", { name: "Back up now" }).first().click();
  await until("the backup", async () => (await backups())[0]?.state === "ready");
  await page.getByRole("row").filter({ hasText: "ready" }).waitFor();

  await page.getByRole("row").filter({ hasText: "asked for" }).getByRole("button").first().click();
  await page.getByRole("heading", { name: "Backup of shop" }).waitFor();
  await page.getByRole("button", { name: "Test", exact: true }).click();
  await until("the test", async () => (await backups())[0].verified_at !== null);
  await page.getByRole("dialog").getByText("tested", { exact: true }).waitFor();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("button", { name: "Download", exact: true }).click()]);
  assert.match(file.suggestedFilename(), /\.ahb$/);
  await page.getByTestId("signed link").waitFor();
  await pictures(page, "backup");
  faultless(page);
  await page.close();
});

test("a schedule is set, and said in words", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/database`);
  await page.getByText("Backups are made only when somebody asks for one.").waitFor();
  await page.getByRole("button", { name: "Schedule" }).click();
  await page.getByRole("switch", { name: "Make backups by schedule" }).click();
  await page.getByLabel("Every").fill("6");
  await page.getByLabel("Unit").selectOption("hours");
  await page.getByLabel("Keep the last").fill("5");
  await page.getByLabel("Keep for, days").fill("30");
  await pictures(page, "backup-schedule");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Made every 6 hours and tested; the last 5 are kept, for 30 days.").waitFor();
  const policy = await server.call("GET", "/admin/v1/projects/shop/backup-policy");
  assert.deepEqual(
    [policy.enabled, policy.interval_seconds, policy.keep_last, policy.keep_days, policy.verify],
    [true, 21_600, 5, 30, true],
  );

  await page.getByRole("button", { name: "Schedule" }).click();
  await page.getByLabel("When").selectOption("times");
  await page.getByLabel("Cron expression").fill("30 2 * * *");
  await page.getByLabel("Time zone").fill("Africa/Nairobi");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText(/02:30.*Africa\/Nairobi/).waitFor();
  const timed = await server.call("GET", "/admin/v1/projects/shop/backup-policy");
  assert.deepEqual([timed.schedule, timed.timezone], ["30 2 * * *", "Africa/Nairobi"]);
  faultless(page);
  await page.close();
});

test("a backup is restored as another project", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/database`);
  await page.getByRole("row").filter({ hasText: "asked for" }).getByRole("button").first().click();
  await page.getByRole("button", { name: "Restore…" }).click();
  await page.getByLabel("Name").fill("Shop of yesterday");
  await page.getByRole("button", { name: "Restore as a new project" }).click();
  await page.getByRole("link", { name: "Shop of yesterday" }).click();
  await page.getByRole("heading", { level: 1, name: "Shop of yesterday" }).waitFor();
  assert.deepEqual(await names("shop-of-yesterday"), ["lamp", "chair"]);
  faultless(page);
  await page.close();
});

test("a backup is restored over its project when its name was typed, and that is undone", async () => {
  await server.sql("shop", "UPDATE goods SET name = 'broken'");
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/database`);
  await page.getByRole("row").filter({ hasText: "asked for" }).getByRole("button").first().click();
  await page.getByRole("button", { name: "Restore…" }).click();
  await page.getByLabel("Over this project").check();
  const go = page.getByRole("button", { name: "Restore over shop" });
  assert(await go.isDisabled());
  await page.getByLabel(/to confirm/).fill("shop");
  await pictures(page, "backup-restore-over");
  await go.click();
  await page.getByRole("button", { name: "Undo this restore…" }).waitFor();
  assert.deepEqual(await names(), ["lamp", "chair"]);
  await pictures(page, "backup-restored");

  await page.getByRole("button", { name: "Undo this restore…" }).click();
  await page.getByLabel(/to confirm/).fill("shop");
  await page.getByRole("button", { name: "Put it back over shop" }).click();
  await until("the undo", async () => (await names())[0] === "broken");
  await page.getByText("before a restore").first().waitFor();
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await page.getByRole("row").filter({ hasText: "before a restore" }).first().waitFor();
  await pictures(page, "backups");
  faultless(page);
  await page.close();
});

test("the platform is backed up, and a project that is gone comes back", async () => {
  await server.call("DELETE", "/admin/v1/projects/shop-of-yesterday");
  const before = (await backups()).length;
  const page = await browser.page(server);
  await page.goto(`${page.base}/backups`);
  await page.getByRole("button", { name: "Back the platform up" }).click();
  const all = async () => (await server.call("GET", "/admin/v1/backups")).items;
  await until("the backup", async () => (await all()).some((one) => one.project === null && one.state === "ready"));
  await page.getByRole("row").filter({ hasText: "platform" }).filter({ hasText: "ready" }).waitFor();
  assert.equal((await all()).length, before + 1);
  await pictures(page, "platform-backups");
  await page.getByRole("row").filter({ hasText: "platform" }).getByRole("button").first().click();
  await page.getByRole("heading", { name: "Backup of the platform" }).waitFor();
  await page.getByTestId("command").waitFor();
  await page.getByRole("button", { name: "Close", exact: true }).click();

  await server.call("DELETE", "/admin/v1/projects/shop");
  await page.reload();
  await page.getByRole("row").filter({ hasText: "asked for" }).filter({ hasText: "shop" }).getByRole("button").first().click();
  await page.getByText("Its project is gone.").waitFor();
  await page.getByRole("button", { name: "Restore…" }).click();
  await page.getByRole("button", { name: "Restore as a new project" }).click();
  await page.getByRole("link", { name: "Shop", exact: true }).waitFor();
  assert.deepEqual(await names(), ["lamp", "chair"]);
  faultless(page);
  await page.close();
});

test("a backup is deleted", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/backups`);
  const row = page.getByRole("row").filter({ hasText: "platform" });
  await row.getByRole("button").first().click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Delete it" }).click();
  await until("the deletion", async () => !(await server.call("GET", "/admin/v1/backups")).items.some((one) => one.project === null));
  await until("the row to go", async () => (await row.count()) === 0);
  faultless(page);
  await page.close();
});
