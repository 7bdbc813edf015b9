import assert from "node:assert/strict";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { Browser, Server, accessible, faultless, freePort, owner, pictures, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
/** What jobs call: it answers what it is told to, and keeps what it got. */
let target;
const got = [];
let answer = 200;
before(async () => {
  const port = await freePort();
  target = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => {
      body += chunk;
    });
    request.on("end", () => {
      got.push({ method: request.method, path: request.url, headers: request.headers, body });
      response.writeHead(answer, { "content-type": "text/plain" });
      response.end(`the report of ${request.url}, for ${request.headers.authorization}`);
    });
  });
  await new Promise((done) => target.listen(port, "127.0.0.1", done));
  target.port = port;
  server = await Server.start({ ATLASHUB_EGRESS_ALLOW: `127.0.0.1:${port}` });
  browser = await Browser.start();
  await server.setUp();
  await server.project("Shop", "shop");
  await server.project("Bare", "bare");
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
  target?.close();
});

const jobs = async () => (await server.plugin("shop", "GET", "/cron/jobs")).items;
const runs = async (job) => (await server.plugin("shop", "GET", `/cron/jobs/${job}/runs`)).items;
const name = 'Reports <b onclick="x()">& "more"</b>';

test("a project without the plugin says how to get it", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/cron`);
  await page.getByText("The plugin for jobs by the clock is not on").waitFor();
  await pictures(page, "cron-off");
  await server.install("shop", "cron");
  await page.getByRole("link", { name: "To the plugins" }).click();
  await page.getByRole("switch", { name: "cron is on" }).waitFor();
  await page.goBack();
  await page.getByText("No jobs yet").waitFor();
  await pictures(page, "cron-empty");
  faultless(page);
  await page.close();
});

test("a job is made with its times explained, its target allowed, and a secret sealed", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/cron`);
  await page.getByRole("button", { name: "New job" }).first().click();
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByRole("button", { name: "Weekdays at 9" }).click();
  await page.getByLabel("Time zone").fill("America/New_York");
  await page.getByText("At 09:00, on Monday to Friday.").waitFor();
  await page.getByRole("columnheader", { name: "In America/New_York" }).waitFor();
  // The server reckons; the page shows by both clocks.
  await page.getByRole("cell", { name: /^(Mon|Tue|Wed|Thu|Fri),? .*09:00:00$/ }).first().waitFor();
  assert.equal(await page.getByRole("table", { name: "Next times" }).getByRole("row").count(), 6);

  await page.getByLabel("Schedule", { exact: true }).fill("61 * * * *");
  await page.getByRole("region", { name: "What the schedule says" }).getByRole("alert").waitFor();
  await page.getByLabel("Schedule", { exact: true }).fill("*/10 8-17 * * MON,WED");
  await page.getByText("Every 10 minutes in the hours 08 to 17, on Monday and Wednesday.").waitFor();

  await page.getByRole("textbox", { name: "Address" }).fill(`http://127.0.0.1:${target.port}/reports`);
  await page.getByText("is not among the hosts that jobs of this project may call").waitFor();
  await page.getByRole("button", { name: "Add a header" }).click();
  await page.getByLabel("Name of header 1").fill("authorization");
  await page.getByLabel("Value of header 1").fill("Bearer s3cret-of-reports");
  await page.getByLabel("Body").fill('{"kind": "daily"}');
  await pictures(page, "cron-new");
  // What the server refuses is said; nothing typed is lost.
  await page.getByRole("button", { name: "Create job" }).click();
  await page.getByText(/list does not allow this target/).waitFor();
  await page.getByRole("button", { name: /^Allow 127/ }).first().click();
  await page.getByText("Jobs may call").first().waitFor();
  await page.getByRole("button", { name: "Create job" }).click();
  await page.getByRole("heading", { name, exact: true }).waitFor();
  await page.getByText("It has not run yet").waitFor();
  await pictures(page, "cron-job-new");
  const [job] = await jobs();
  assert.equal(job.name, name);
  assert.equal(job.http.headers.authorization, "[sealed]");
  assert.equal(job.schedule, "*/10 8-17 * * MON,WED");
  assert.equal(job.timezone, "America/New_York");
  assert.deepEqual(job.http.body, { kind: "daily" });
  faultless(page);
  await page.close();
});

test("a job is run now, and its history has what was sent and what came", async () => {
  const page = await browser.page(server);
  const [job] = await jobs();
  await page.goto(`${page.base}/projects/shop/cron`);
  await page.getByRole("button", { name: new RegExp("^Reports") }).click();
  await page.getByRole("button", { name: "Run now" }).click();
  await until("a call", () => got.some((call) => call.path === "/reports"));
  assert.equal(got[0].headers.authorization, "Bearer s3cret-of-reports");
  assert.equal(got[0].body, '{"kind":"daily"}');
  await until("its end", async () => (await runs(job.id))[0]?.status === "success");
  const list = page.getByRole("list", { name: "Runs" });
  await list.getByRole("button", { name: /succeeded/ }).click();
  await list.getByText("the report of /reports").waitFor();
  assert(!(await list.textContent())?.includes("s3cret"), "a secret stands in the log");
  answer = 503;
  await page.getByRole("button", { name: "Run now" }).click();
  await list.getByRole("button", { name: /failed/ }).first().click();
  await list.getByText("the target answered 503").first().waitFor();
  await pictures(page, "cron-job");
  await page.getByLabel("Runs that are shown").selectOption("success");
  await until("one run", async () => (await list.getByRole("listitem").count()) === 1);
  answer = 200;
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await pictures(page, "cron");
  faultless(page);
  await page.close();
});

test("a job is changed by two, switched off and on, and deleted", async () => {
  const page = await browser.page(server);
  const [job] = await jobs();
  await page.goto(`${page.base}/projects/shop/cron?job=${job.id}`);
  await page.getByRole("button", { name: "Change" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Mine");
  await server.plugin("shop", "PATCH", `/cron/jobs/${job.id}`, { name: "Theirs", retries: 2 });
  await page.getByText("Somebody else changed this job while you were editing").waitFor();
  assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "Mine");
  await pictures(page, "cron-two");
  await page.getByRole("button", { name: "Show theirs" }).click();
  assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "Theirs");
  await page.getByLabel("Name", { exact: true }).fill("Ours");
  await page.getByRole("button", { name: "Save" }).click();
  await until("the name", async () => (await jobs())[0].name === "Ours");
  const kept = (await jobs())[0];
  assert.equal(kept.retries, 2);
  // What was sealed and is not typed anew stays.
  assert.equal(kept.http.headers.authorization, "[sealed]");

  await page.getByRole("switch", { name: "Ours is on" }).click();
  await until("the switch", async () => (await jobs())[0].enabled === false);
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await page.getByRole("switch", { name: "Ours is on" }).click();
  await until("the switch", async () => (await jobs())[0].enabled === true);
  await page.getByRole("button", { name: "Actions for Ours" }).click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  await page.getByRole("button", { name: "Delete the job" }).click();
  await page.getByText("No jobs yet").waitFor();
  assert.deepEqual(await jobs(), []);
  faultless(page);
  await page.close();
});

test("a session that ends while a job is made loses nothing, by keys alone", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop`);
  await page.getByRole("heading", { level: 1, name: "Shop" }).waitFor();
  await until("the page of the second key", async () => {
    await page.keyboard.press("g");
    await page.keyboard.press("j");
    return page.getByRole("heading", { level: 1, name: "Cron" }).isVisible();
  });
  const create = page.getByRole("button", { name: "New job" }).first();
  await create.focus();
  await page.keyboard.press("Enter");
  await page.getByLabel("Name", { exact: true }).focus();
  await page.keyboard.type("Tidy up");
  const platform = page.getByRole("radio", { name: /^The platform/ });
  await platform.focus();
  await page.keyboard.press("Space");
  await page.getByLabel("What it does").selectOption("cleanup");
  await browser.context.clearCookies();
  await page.getByLabel("Name", { exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Sign in again" }).waitFor();
  await accessible(page, "signing in again over the form of a job");
  await page.getByLabel("Email").fill(owner.email);
  await page.getByLabel("Password").fill(owner.password);
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { name: "Tidy up" }).waitFor();
  const [job] = await jobs();
  assert.equal(job.action, "cleanup");
  await page.getByRole("button", { name: "Run now" }).click();
  await until("its end", async () => (await runs(job.id))[0]?.status === "success");
  faultless(page);
  await page.close();
});
