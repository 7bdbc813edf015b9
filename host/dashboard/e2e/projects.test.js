import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, Server, faultless, owner, pictures, signIn, touched, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
before(async () => {
  server = await Server.start();
  browser = await Browser.start();
  await server.setUp();
  for (let place = 1; place <= 30; place += 1) await server.project(`Project ${place}`, `project-${place}`);
  await server.project('<img src=x onerror="document.title=1"> & "quotes" with a name so long that it must be cut', "markup");
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

test("projects are made, found, renamed and deleted", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects`);
  await page.getByRole("link", { name: /project-12/ }).waitFor();
  await pictures(page, "projects");

  await page.getByRole("button", { name: "Next" }).click();
  await page.getByRole("link", { name: /markup/ }).waitFor();
  await page.goBack();
  await page.getByRole("link", { name: /project-12/ }).waitFor();

  await page.getByRole("button", { name: "New project" }).first().click();
  await page.getByLabel("Name").fill("Café Zürich");
  await page.getByRole("button", { name: "Create project" }).click();
  await page.getByTestId("publishable key").waitFor();
  await pictures(page, "project-keys");
  await page.getByRole("button", { name: "I have kept them" }).click();
  await page.getByRole("heading", { level: 1, name: "Café Zürich" }).waitFor();
  assert.equal((await server.call("GET", "/admin/v1/projects/cafe-zurich")).name, "Café Zürich");

  await page.goto(`${page.base}/projects`);
  await page.getByRole("searchbox", { name: "Search projects" }).fill("zürich");
  const row = page.getByRole("row", { name: /cafe-zurich/ });
  await row.waitFor();
  await until("one row", async () => (await page.getByRole("row").count()) === 2);
  await row.getByRole("button", { name: /Actions/ }).click();
  await page.getByRole("menuitem", { name: "Rename" }).click();
  await page.getByRole("textbox", { name: "Name" }).fill("Kaffeehaus");
  await page.getByRole("button", { name: "Rename" }).click();
  await until("the new name", async () => (await server.call("GET", "/admin/v1/projects/cafe-zurich")).name === "Kaffeehaus");

  await page.getByRole("searchbox", { name: "Search projects" }).fill("kaffee");
  await page.getByRole("link", { name: /Kaffeehaus/ }).waitFor();
  await page.getByRole("button", { name: /Actions for Kaffeehaus/ }).click();
  await page.getByRole("menuitem", { name: "Delete…" }).click();
  const confirm = page.getByRole("button", { name: "Delete the project" });
  assert(await confirm.isDisabled());
  await page.getByLabel(/to confirm/).fill("cafe-zurich");
  await pictures(page, "project-delete");
  await confirm.click();
  await page.getByText("No project has such a name").waitFor();
  await server.call("GET", "/admin/v1/projects/cafe-zurich", undefined, 404);
  faultless(page);
  await page.close();
});

test("a list is in the order that its address says", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects`);
  const first = page.getByRole("row").nth(1).getByRole("link");
  const head = page.getByRole("columnheader", { name: "Project" });
  await page.getByRole("link", { name: /project-12/ }).waitFor();
  await head.getByRole("button").click();
  await head.getByRole("button").click();
  await page.waitForURL((url) => url.searchParams.get("by") === "-name");
  const last = await first.textContent();
  await page.reload();
  await page.locator('th[aria-sort="descending"]').waitFor();
  assert.equal(await first.textContent(), last);
  // What cannot be sorted by is passed over.
  await page.goto(`${page.base}/projects?by=-url`);
  await page.getByRole("link", { name: /project-12/ }).waitFor();
  assert.equal(await page.locator("th[aria-sort]").count(), 0);
  faultless(page);
  await page.close();
});

test("of what a list could not learn it says so", async () => {
  const page = await browser.page(server);
  const refuse = (route) => route.fulfill({ status: 403, contentType: "application/problem+json", body: JSON.stringify({ status: 403, code: "forbidden", detail: "not yours" }) });
  await page.route("**/admin/v1/projects/project-1/plugins*", refuse);
  await page.route("**/admin/v1/projects/project-1/usage*", refuse);
  await page.goto(`${page.base}/projects`);
  const row = page.getByRole("row", { name: /project-1(?!\d)/ });
  await until("both cells", async () => (await row.getByText("unknown").count()) === 2);
  await page.getByRole("row", { name: /project-2(?!\d)/ }).getByText("no plugins").waitFor();
  faultless(page);
  await page.close();
});

test("an admin finds the way about by touch", async () => {
  const other = await browser.another(touched);
  const page = await other.page(server);
  await page.goto(`${page.base}/sign-in`);
  await page.getByLabel("Email").fill(owner.email);
  await page.getByLabel("Password").fill(owner.password);
  await page.getByRole("button", { name: "Sign in" }).tap();
  await page.getByRole("link", { name: /project-3(?!\d)/ }).tap();
  await page.getByRole("heading", { level: 1, name: "Project 3" }).waitFor();
  await page.getByRole("button", { name: "Menu", exact: true }).tap();
  await page.getByRole("dialog", { name: "Menu" }).getByRole("link", { name: "Keys" }).tap();
  await page.getByRole("heading", { level: 1, name: "Keys" }).waitFor();
  await page.getByRole("button", { name: "New key" }).tap();
  await page.getByLabel("Name").fill("from a phone");
  await page.getByRole("button", { name: "Create key" }).tap();
  await page.getByRole("button", { name: "I have kept them" }).tap();
  await page.getByRole("row", { name: /from a phone/ }).waitFor();
  await page.getByRole("button", { name: "Revoke from a phone" }).tap();
  await page.getByRole("button", { name: "Revoke the key" }).tap();
  const keys = async () => (await server.call("GET", "/admin/v1/projects/project-3/keys")).items;
  await until("the revocation", async () => (await keys()).find(({ name }) => name === "from a phone")?.revoked_at);
  await page.getByRole("button", { name: "Menu", exact: true }).tap();
  await page.getByRole("dialog", { name: "Menu" }).getByRole("link", { name: "Tables" }).tap();
  await page.getByRole("button", { name: "New table" }).first().tap();
  await page.getByRole("dialog").getByLabel("Name", { exact: true }).fill("visits");
  await page.getByRole("button", { name: "Create table" }).tap();
  await page.getByRole("heading", { level: 1, name: "visits" }).waitFor();
  assert.deepEqual((await server.sql("project-3", "SELECT count(*) AS n FROM visits")).rows.length, 1);
  faultless(page);
  await other.stop();
});

test("a name that is markup stays a name", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects?q=markup`);
  await page.getByRole("link", { name: /<img src=x/ }).click();
  await page.getByRole("heading", { level: 1, name: /<img src=x/ }).waitFor();
  assert.equal(await page.locator('img[src="x"]').count(), 0);
  faultless(page);
  await page.close();
});

test("keys are made, rotated and revoked", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/project-1/keys`);
  await page.getByRole("button", { name: "New key" }).click();
  await page.getByLabel("Kind").selectOption("secret");
  await page.getByLabel("Name").fill("nightly import");
  await page.getByRole("button", { name: "Create key" }).click();
  const key = (await page.getByTestId("secret key").textContent()) ?? "";
  assert.match(key, /^ahs_/);
  await page.getByRole("button", { name: "I have kept them" }).click();
  await page.getByRole("row", { name: /nightly import/ }).waitFor();
  await pictures(page, "keys");
  const asks = (value) => fetch(`${server.url}/v1/nothing`, { headers: { "x-api-key": value } }).then((answer) => answer.status);
  assert.equal(await asks(key), 404);

  await page.getByRole("button", { name: "Rotate nightly import" }).click();
  await page.getByLabel("The old key ends").selectOption("0");
  await page.getByRole("button", { name: "Make the new key" }).click();
  const next = (await page.getByTestId("secret key").textContent()) ?? "";
  assert.notEqual(next, key);
  await page.getByRole("button", { name: "I have kept them" }).click();
  await until("the old key's end", async () => (await asks(key)) === 401);

  await page.getByRole("button", { name: "Revoke nightly import" }).first().click();
  await page.getByRole("button", { name: "Revoke the key" }).click();
  await until("the revocation", async () => (await asks(next)) === 401);
  faultless(page);
  await page.close();
});

test("a session that ends in the middle of a form loses nothing", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects?new=true`);
  await page.getByLabel("Name").fill("Typed before the end");
  await browser.context.clearCookies();
  await page.getByRole("button", { name: "Create project" }).click();
  await page.getByRole("heading", { name: "Sign in again" }).waitFor();
  await pictures(page, "session-expired");
  await page.getByLabel("Email").fill(owner.email);
  await page.getByLabel("Password").fill(owner.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  // The call that waited was made: the project is there.
  await page.getByTestId("secret key").waitFor();
  assert.equal((await server.call("GET", "/admin/v1/projects/typed-before-the-end")).name, "Typed before the end");
  faultless(page);
  await page.close();
});

test("a server that restarts is found again", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects`);
  await page.getByRole("link", { name: /project-12/ }).waitFor();
  await server.down();
  await page.getByRole("searchbox", { name: "Search projects" }).fill("project-2");
  await page.getByText("The server does not answer. Trying again").waitFor();
  await server.up();
  await page.getByText("The server does not answer. Trying again").waitFor({ state: "detached" });
  await page.getByRole("link", { name: /project-29/ }).waitFor();
  await page.close();
});

test("everything is reached by the keyboard", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects`);
  await page.getByRole("link", { name: /project-12/ }).waitFor();
  await page.keyboard.press("Control+k");
  await page.getByPlaceholder(/Go to a page/).fill("markup");
  await page.getByRole("option", { name: /<img/ }).waitFor();
  await pictures(page, "palette");
  await page.keyboard.press("Enter");
  await page.getByRole("heading", { level: 1, name: /<img src=x/ }).waitFor();
  // The second key has to follow soon: who was too slow begins again.
  await until("the page of the second key", async () => {
    await page.keyboard.press("g");
    await page.keyboard.press("k");
    return page.getByRole("heading", { level: 1, name: "Keys" }).isVisible();
  });
  await page.keyboard.press("?");
  await page.getByRole("heading", { name: "Keyboard shortcuts" }).waitFor();
  await page.keyboard.press("Escape");
  faultless(page);
  await page.close();
});
