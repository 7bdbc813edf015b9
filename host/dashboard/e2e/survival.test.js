/** What the pages survive: strange names, many projects, nothing installed, a failing server, a second admin. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, Server, accessible, faultless, owner, pictures, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
const bad = '<img src=x onerror="document.title=1"> & "quotes" \'; DROP TABLE x; -- \u202egnp.exe 🦒';
const inProject = ["", "/plugins", "/tables", "/sql", "/storage", "/users", "/users?tab=roles", "/users?tab=settings", "/users?tab=mails", "/keys", "/cron", "/payments", "/queue", "/queue?tab=schedules", "/logs", "/api", "/settings"];
const onPlatform = ["/projects", "/plugins", "/audit", "/admins", "/platform", "/account"];
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
    await accessible(page, `a bare project's ${path}`);
  }
  await page.goto(`${page.base}/projects/bare/payments`);
  await page.getByText("The plugin for payments is not on").waitFor();
  await pictures(page, "payments-off");
  faultless(page);
  await page.close();
});

test("names that are made to break markup are names on every page", async () => {
  await server.project(bad, "strange", ["db", "storage", "cron"]);
  const at = "/admin/v1/projects/strange";
  await server.sql("strange", `CREATE TABLE "${bad.replaceAll('"', '""')}" ("id" INTEGER PRIMARY KEY, "<b>column</b>" TEXT)`);
  await server.sql("strange", `INSERT INTO "${bad.replaceAll('"', '""')}" VALUES (1, $1)`, [bad]);
  await server.call("POST", `${at}/users`, { email: "ada@example.com", name: bad });
  await server.call("POST", `${at}/keys`, { kind: "secret", name: bad });
  await server.plugin("strange", "POST", "/cron/jobs", { name: bad, type: "platform", action: "cleanup", schedule: "0 2 * * *" });
  const page = await browser.page(server);
  for (const path of [...inProject.map((one) => `/projects/strange${one}`), ...onPlatform]) {
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
  await page.getByRole("button", { name: bad.slice(0, 20) }).first().click();
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
  for (const path of [...inProject.map((one) => `/projects/strange${one}`), ...onPlatform]) {
    await page.goto(`${page.base}${path}`);
    await page.getByRole("heading", { level: 1 }).first().waitFor();
    // The account is all the session's, the editor needs nothing to be there.
    if (path === "/account" || path.endsWith("/sql") || path === "/projects/strange/logs") continue;
    await page.getByText(/Something broke/).first().waitFor();
  }
  failing = false;
  await page.goto(`${page.base}/projects/strange/cron`);
  await page.getByRole("button", { name: bad.slice(0, 20) }).first().waitFor();
  faultless(page);
  await page.close();
});

test("what is typed outlasts a server that goes away, and is sent when it is back", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/strange/users`);
  await page.getByRole("button", { name: "New user" }).first().click();
  await page.getByLabel("Email").fill("late@example.com");
  await page.getByLabel("Name").fill("Typed before");
  await server.down();
  await page.getByRole("button", { name: "Create user" }).click();
  await page.getByText("The server does not answer. Trying again").waitFor();
  await page.getByRole("dialog").getByRole("alert").waitFor();
  assert.equal(await page.getByLabel("Email").inputValue(), "late@example.com");
  await pictures(page, "server-away");
  await server.up();
  await page.getByText("The server does not answer. Trying again").waitFor({ state: "detached" });
  assert.equal(await page.getByLabel("Name").inputValue(), "Typed before");
  await page.getByRole("button", { name: "Create user" }).click();
  await until("the user", async () => (await server.call("GET", "/admin/v1/projects/strange/users?q=late")).items[0]?.name === "Typed before");
  // Streams are found again, too.
  await page.goto(`${page.base}/projects/strange/plugins/cron?tab=logs`);
  await page.getByText("live", { exact: true }).waitFor();
  await server.down();
  await page.getByText("connecting again").waitFor();
  await server.up();
  await page.getByText("live", { exact: true }).waitFor();
  await page.close();
});

test("two admins who change the same thing do not undo each other", async () => {
  const at = "/admin/v1/projects/strange";
  const page = await browser.page(server);
  // Settings of sign-in: what the other has set beside it stays.
  await page.goto(`${page.base}/projects/strange/users?tab=settings`);
  await page.getByLabel("Shortest password, characters").fill("14");
  const auth = () => server.call("GET", `${at}/auth`);
  await server.call("PUT", `${at}/auth`, { ...(await auth()), sign_up: "invite" });
  await page.getByRole("button", { name: "Save" }).click();
  await until("both", async () => (await auth()).password_min_characters === 14 && (await auth()).sign_up === "invite");
  await page.getByText("Saved. It holds").first().waitFor();
  // The same field: said once, then it is the last who saves.
  await page.getByLabel("Shortest password, characters").fill("16");
  await server.call("PUT", `${at}/auth`, { ...(await auth()), password_min_characters: 20 });
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText(/Somebody else has changed/).waitFor();
  assert.equal((await auth()).password_min_characters, 20);
  assert.equal(await page.getByLabel("Shortest password, characters").inputValue(), "16");
  await pictures(page, "two-admins");
  await page.getByRole("button", { name: "Save" }).click();
  await until("the last", async () => (await auth()).password_min_characters === 16);

  // A user: what is being typed stays, what is not typed follows.
  const [ada] = (await server.call("GET", `${at}/users?q=ada`)).items;
  await page.goto(`${page.base}/projects/strange/users?user=${ada.id}`);
  await page.getByRole("textbox", { name: "Name" }).fill("Ada typed");
  await server.call("PATCH", `${at}/users/${ada.id}`, { handle: "ada_told", roles: ["viewer"] });
  await page.getByRole("button", { name: "Save" }).click();
  await until("the name", async () => (await server.call("GET", `${at}/users/${ada.id}`)).name === "Ada typed");
  const kept = await server.call("GET", `${at}/users/${ada.id}`);
  assert.deepEqual([kept.handle, kept.roles], ["ada_told", ["viewer"]]);

  // Rows: the one that was chosen is deleted, whatever came before it meanwhile.
  await server.sql("strange", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)");
  await server.sql("strange", "INSERT INTO notes VALUES (10, 'ten'), (20, 'twenty'), (30, 'thirty')");
  await page.goto(`${page.base}/projects/strange/tables/notes?order=id.asc`);
  await page.getByRole("gridcell", { name: "twenty" }).waitFor();
  await page.getByRole("checkbox", { name: "Choose row 2" }).click();
  await page.getByRole("gridcell", { name: "thirty" }).dblclick();
  await page.getByRole("textbox", { name: "text, row 3" }).fill("mine");
  await server.sql("strange", "INSERT INTO notes VALUES (5, 'five')");
  await page.evaluate(() => window.dispatchEvent(new Event("visibilitychange")));
  await page.getByRole("textbox", { name: /^text, row/ }).press("Enter");
  await page.getByRole("gridcell", { name: "five" }).waitFor();
  await page.getByRole("button", { name: "Delete 1" }).click();
  await page.getByRole("button", { name: "Delete 1 row" }).click();
  await until("the deletion", async () => (await server.sql("strange", "SELECT count(*) FROM notes")).rows[0][0] === 3);
  assert.deepEqual((await server.sql("strange", "SELECT id, text FROM notes ORDER BY id")).rows, [[5, "five"], [10, "ten"], [30, "mine"]]);
  faultless(page);
  await page.close();
});

test("a session that ends while a row is typed loses nothing", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/strange/tables/notes`);
  await page.getByRole("button", { name: "New row" }).click();
  await page.getByLabel(/^id/).fill("40");
  await page.getByLabel(/^text/).fill("forty");
  await browser.context.clearCookies();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("heading", { name: "Sign in again" }).waitFor();
  await page.getByLabel("Email").fill(owner.email);
  await page.getByLabel("Password").fill(owner.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("gridcell", { name: "forty" }).waitFor();
  assert.equal((await server.sql("strange", "SELECT text FROM notes WHERE id = 40")).rows[0][0], "forty");
  faultless(page);
  await page.close();
});

test("a thousand projects are paged through, searched, and gone to", async () => {
  const numbers = Array.from({ length: 1_000 }, (_, place) => place + 1);
  const makers = Array.from({ length: 4 }, async () => {
    for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) await server.project(`Customer ${number}`, `customer-${number}`);
  });
  await Promise.all(makers);
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects`);
  await settled(page);
  for (let turn = 0; turn < 5; turn += 1) {
    await page.getByRole("button", { name: "Next" }).click();
    await page.getByText(`Page ${turn + 2}`, { exact: true }).waitFor();
  }
  // No more of them are in the page than are shown.
  assert((await page.getByRole("row").count()) <= 26);
  await pictures(page, "projects-many");
  await page.getByRole("searchbox", { name: "Search projects" }).fill("customer-987");
  await page.getByRole("link", { name: /Customer 987/ }).waitFor();
  await until("one row", async () => (await page.getByRole("row").count()) === 2);
  await page.keyboard.press("Control+k");
  await page.getByPlaceholder(/Go to a page/).fill("customer-654");
  await page.getByRole("option", { name: /Customer 654/ }).waitFor();
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: "Customer 654" }).waitFor();
  faultless(page);
  await page.close();
});
