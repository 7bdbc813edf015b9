/** What projects did over time, as the pages draw it. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, Server, accessible, desktop, faultless, phone, pictures, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
let secret;
before(async () => {
  server = await Server.start({ ATLASHUB_SERIES_SECONDS: "1" });
  browser = await Browser.start();
  await server.setUp();
  secret = (await server.project("Shop", "shop", ["db", "storage"])).keys.secret;
  await server.upload("fixtures/worker");
  await server.install("shop", "worker");
  await server.project("Quiet", "quiet");
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

const ask = (path, init = {}) => fetch(`${server.url}/p/shop${path}`, { ...init, headers: { "x-api-key": secret, ...init.headers } });

/** All that was counted of a project. */
const total = async (slug, more = "") => (await server.call("GET", `/admin/v1/projects/${slug}/series${more}`)).total;

test("requests, errors, storage and jobs are drawn, and told as numbers", async () => {
  const before = await total("shop");
  for (let place = 0; place < 12; place += 1) assert.equal((await ask("/v1/db/tables")).status, 200);
  for (let place = 0; place < 3; place += 1) assert.equal((await ask("/nobody-answers-here")).status, 404);
  const job = JSON.stringify({ name: "work", payload: {} });
  assert.equal((await ask("/worker/jobs", { method: "POST", body: job, headers: { "content-type": "application/json" } })).status, 202);
  await until("what was counted", async () => {
    const now = await total("shop");
    return now.requests - before.requests >= 16 && now.client_errors - before.client_errors >= 3 && now.jobs_done - before.jobs_done >= 1;
  });
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop?range=1h`);
  const requests = page.getByRole("region", { name: "Requests", exact: true });
  await requests.getByRole("img", { name: /^Requests within the last hour: Answered \d+, Refused \(4xx\) \d+, Failed \(5xx\) 0/ }).waitFor();
  await page.getByRole("img", { name: /^Latency within the last hour: p95 / }).waitFor();
  await page.getByRole("img", { name: /^Jobs within the last hour: Done [1-9]/ }).waitFor();
  await page.getByRole("heading", { name: "Recent events" }).waitFor();

  // By the keyboard alone.
  await requests.getByRole("button", { name: "Requests as a table" }).focus();
  await page.keyboard.press("Enter");
  const table = requests.getByRole("region", { name: "Requests, the numbers" });
  await table.waitFor();
  const counted = await total("shop");
  const refused = await table.locator("tbody tr td:nth-child(3)").allTextContents();
  assert(refused.reduce((sum, text) => sum + Number(text), 0) >= 3, refused.join());
  assert(refused.length >= 60 && counted.client_errors >= 3);
  await accessible(page, "the table behind a chart");
  await page.keyboard.press("Enter");
  await requests.getByRole("img", { name: /^Requests within/ }).waitFor();
  faultless(page);
  await page.close();
});

test("the time shown stands in the address", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop`);
  const choice = page.getByRole("group", { name: "Time shown" });
  const pressed = (words) => choice.getByRole("button", { name: `Show ${words}`, pressed: true }).waitFor();
  await pressed("the last 24 hours");
  for (const [words, range] of [
    ["the last hour", "1h"],
    ["the last 7 days", "7d"],
    ["the last 30 days", "30d"],
  ]) {
    await choice.getByRole("button", { name: `Show ${words}` }).click();
    await page.getByRole("img", { name: new RegExp(`^Requests within ${words}`) }).waitFor();
    assert(page.url().endsWith(`?range=${range}`), page.url());
  }
  await page.reload();
  await pressed("the last 30 days");
  // Something that is no range is as none.
  await page.goto(`${page.base}/projects/shop?range=yesterday`);
  await pressed("the last 24 hours");
  faultless(page);
  await page.close();
});

test("one plugin, all projects, and a line for each", async () => {
  await ask("/v1/db/tables");
  await until("what was counted", async () => (await total("shop", "?plugin=db")).requests > 0);
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/plugins/db?tab=metrics&range=1h`);
  await page.getByRole("img", { name: /^Requests within the last hour: Answered [1-9]/ }).waitFor();
  assert.equal(await page.getByRole("heading", { name: "Storage" }).count(), 0, "storage is the project's");
  await page.getByText("Since it was brought up").waitFor();
  await pictures(page, "series-plugin");

  await page.goto(`${page.base}/platform`);
  await page.getByRole("img", { name: /^Requests within the last 24 hours: Answered [1-9]/ }).waitFor();

  await page.goto(`${page.base}/projects`);
  await page.getByRole("row", { name: /Shop/ }).getByRole("img", { name: /^[1-9][\d,]* requests? within 24 hours, 0 failed/ }).waitFor();
  await page.getByRole("row", { name: /Quiet/ }).getByRole("img", { name: "0 requests within 24 hours, 0 failed" }).waitFor();
  await pictures(page, "series-projects");
  faultless(page);
  await page.close();
});

test("a project in which nothing happened says so", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/quiet`);
  await page.getByText("No requests came in this time").waitFor();
  await page.getByText("Nothing was stored in this time").waitFor();
  await pictures(page, "series-empty");
  faultless(page);
  await page.close();
});

test("an answer that is long in coming, and one that does not come", async () => {
  const page = await browser.page(server);
  let answer = () => undefined;
  const asked = new Promise((resolve) => {
    answer = resolve;
  });
  await page.route("**/projects/shop/series?*", async (route) => {
    await asked;
    await route.fulfill({ status: 400, contentType: "application/problem+json", body: JSON.stringify({ status: 400, code: "too_many_points", detail: "ask for a longer `step`" }) });
  });
  await page.goto(`${page.base}/projects/shop`);
  await page.locator("[aria-busy=true]").first().waitFor();
  await page.getByRole("heading", { name: "Recent events" }).waitFor();
  await page.setViewportSize(desktop);
  await pictures(page, "series-loading");
  answer();
  await page.getByText("This could not be shown").first().waitFor();
  await pictures(page, "series-failed");
  await page.unroute("**/projects/shop/series?*");
  await page.getByRole("button", { name: "Try again" }).first().click();
  await page.getByRole("img", { name: /^Requests within/ }).waitFor();
  await page.close();
});

/** A busy project with its days and nights, and an hour in which something broke. */
function busy({ from, to, step }) {
  const length = { minute: 60, ten_minutes: 600, hour: 3_600, day: 86_400 }[step];
  const first = Math.floor(Date.parse(from) / 1_000 / length) * length;
  const count = Math.ceil(Date.parse(to) / 1_000 / length) - first / length;
  let seed = 7;
  const chance = () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return seed / 2_147_483_648;
  };
  const sum = { requests: 0, client_errors: 0, server_errors: 0, bytes_out: 0, jobs_done: 0, jobs_failed: 0 };
  const points = Array.from({ length: count }, (_, place) => {
    const hour = ((first + place * length) / 3_600) % 24;
    const day = length === 86_400 ? 0.6 : 0.15 + 0.85 * Math.exp(-(((hour - 14) / 5) ** 2));
    const requests = Math.round(length * day * (1.4 + chance() * 0.8));
    const broken = place > count * 0.62 && place < count * 0.66;
    const point = {
      requests,
      client_errors: Math.round(requests * (0.02 + chance() * 0.03)),
      server_errors: broken ? Math.round(requests * 0.35) : Math.round(requests * 0.001 * chance()),
      bytes_out: requests * 4_000,
      jobs_done: Math.round(length * day * 0.05 * (0.5 + chance())),
      jobs_failed: broken ? Math.round(length * 0.01) : 0,
    };
    for (const [name, value] of Object.entries(point)) sum[name] += value;
    const p50 = (broken ? 40 : 4) + chance() * 2;
    return {
      at: new Date((first + place * length) * 1_000).toISOString(),
      ...point,
      latency_ms: { p50, p95: p50 * (3 + chance()), p99: p50 * 6 },
      storage_bytes: Math.round(4_800_000_000 + (place / count) * 900_000_000 + (place > count / 2 ? 400_000_000 : 0)),
      jobs_waiting: broken ? 40 : Math.round(chance() * 4),
    };
  });
  return { from, to, step, total: { ...sum, latency_ms: { p50: 4.7, p95: 17.2, p99: 44 } }, points };
}

test("a busy project is a picture that tells what happened", async () => {
  const page = await browser.page(server);
  await page.route("**/projects/shop/series?*", (route) => {
    const query = new URL(route.request().url()).searchParams;
    return route.fulfill({ json: busy({ from: query.get("from"), to: query.get("to"), step: query.get("step") }) });
  });
  const gib = 1_073_741_824;
  await page.route("**/projects/shop/usage", async (route) => {
    const usage = await (await route.fetch()).json();
    await route.fulfill({ json: { ...usage, storage: { used_bytes: 5.7 * gib, reserved_bytes: 0, limit_bytes: 10 * gib } } });
  });
  for (const [range, words] of [
    ["24h", "the last 24 hours"],
    ["30d", "the last 30 days"],
  ]) {
    await page.goto(`${page.base}/projects/shop?range=${range}`);
    await page.getByRole("img", { name: new RegExp(`^Storage within ${words}`) }).locator("svg path").first().waitFor();
    await page.getByRole("heading", { name: "Recent events" }).waitFor();
    await pictures(page, `series-${range}`);
  }
  await page.setViewportSize(phone);
  await page.getByRole("button", { name: "Latency as a table" }).click();
  await page.getByRole("region", { name: "Latency, the numbers" }).scrollIntoViewIfNeeded();
  await pictures(page, "series-table");
  faultless(page);
  await page.close();
});
