import { after, before, test } from "node:test";
import { Browser, Server, faultless, pictures, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
before(async () => {
  server = await Server.start();
  browser = await Browser.start();
  await server.setUp();
  await server.project("Shop", "shop", ["cron"]);
  await server.upload("fixtures/worker");
  await server.install("shop", "worker");
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

test("schedules of all plugins are put on hold, run, and gone on with", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/queue`);
  await page.getByRole("tab", { name: "Schedules" }).click();
  const row = page.getByRole("row", { name: /nightly/ });
  await row.waitFor();
  await page.getByRole("row", { name: /watch/ }).waitFor();
  const nightly = async () => (await server.call("GET", "/admin/v1/projects/shop/schedules?plugin=worker")).items[0];
  await page.getByRole("button", { name: "Put on hold nightly of worker" }).click();
  await until("the hold", async () => (await nightly()).paused);
  await row.getByText("on hold").waitFor();
  await pictures(page, "schedules");
  await row.getByRole("button", { name: /^nightly/ }).click();
  await page.getByRole("table", { name: "Next times" }).getByRole("row").nth(1).waitFor();
  await page.getByText("At 02:30, every day.").waitFor();
  await pictures(page, "schedule");
  await page.getByRole("button", { name: "Go on", exact: true }).click();
  await until("going on", async () => (await nightly()).paused === false);
  await page.getByRole("button", { name: "Run now", exact: true }).click();
  await until("the job", async () => (await nightly()).last_job);
  await page.getByRole("button", { name: "Its last job" }).click();
  await page.getByRole("heading", { name: "work" }).waitFor();
  await page.getByText("nightly, due").waitFor();
  faultless(page);
  await page.close();
});

test("work tells how far it is, is taken back, given up, and tried again", async () => {
  const add = (payload, more = {}) => server.plugin("shop", "POST", "/worker/jobs", { name: "work", payload, ...more });
  const item = (id) => server.call("GET", `/admin/v1/projects/shop/queue/${id}`);
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/queue?consumer=worker`);
  await page.getByRole("button", { name: /^dead/ }).waitFor();
  await add({ progress: 42, wait_ms: 50_000 });
  await page.getByRole("meter", { name: "Progress of work" }).first().waitFor();
  // Another for its own page: whoever is slow would find the first one ended.
  const long = await add({ progress: 42, wait_ms: 50_000 });
  await page.goto(`${page.base}/projects/shop/queue?consumer=worker&item=${long.id}`);
  await page.getByRole("dialog").getByRole("meter", { name: "Progress of work" }).waitFor();
  await pictures(page, "queue-item");
  await page.getByRole("button", { name: "Close", exact: true }).click();
  const later = await add({}, { after_ms: 3_600_000 });
  const failing = await add({ refuse: true });
  const another = await add({ fail_until: 1 }, { attempts: 1 });
  await until("the end of two", async () => (await item(failing.id)).state === "dead" && (await item(another.id)).state === "dead");
  await page.getByText("the job asks for it").first().waitFor();
  await pictures(page, "queue-work");
  await page.goto(`${page.base}/projects/shop/queue?item=${later.id}`);
  await page.getByRole("button", { name: "Take back" }).click();
  await page.getByRole("button", { name: "Take it back" }).click();
  await until("the taking back", async () => (await item(later.id)).state === "cancelled");
  await page.getByRole("button", { name: "Close", exact: true }).click();

  const before = (await item(failing.id)).started_at;
  await page.getByRole("button", { name: "Try the dead again" }).click();
  await page.getByRole("button", { name: "Try them again" }).click();
  await page.getByText("2 pieces of work are tried again").waitFor();
  await until("a second try", async () => (await item(failing.id)).started_at > before);
  faultless(page);
  await page.close();
});
