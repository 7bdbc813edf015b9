/** A server that goes away, a session that ends, a second admin: what is typed is not lost, and nobody undoes another's work. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, Server, faultless, owner, pictures, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
before(async () => {
  server = await Server.start();
  browser = await Browser.start();
  await server.setUp();
  await server.project("Shop", "shop", ["db", "cron"]);
  await server.call("POST", "/admin/v1/projects/shop/users", { email: "ada@example.com", name: "Ada" });
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

test("what is typed outlasts a server that goes away, and is sent when it is back", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/users`);
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
  await until("the user", async () => (await server.call("GET", "/admin/v1/projects/shop/users?q=late")).items[0]?.name === "Typed before");
  // Streams are found again, too.
  await page.goto(`${page.base}/projects/shop/plugins/cron?tab=logs`);
  await page.getByText("live", { exact: true }).waitFor();
  await server.down();
  await page.getByText("connecting again").waitFor();
  await server.up();
  await page.getByText("live", { exact: true }).waitFor();
  await page.close();
});

test("two admins who change the same thing do not undo each other", async () => {
  const at = "/admin/v1/projects/shop";
  const page = await browser.page(server);
  // Settings of sign-in: what the other has set beside it stays.
  await page.goto(`${page.base}/projects/shop/users?tab=settings`);
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
  await page.goto(`${page.base}/projects/shop/users?user=${ada.id}`);
  await page.getByRole("textbox", { name: "Name" }).fill("Ada typed");
  await server.call("PATCH", `${at}/users/${ada.id}`, { handle: "ada_told", roles: ["viewer"] });
  await page.getByRole("button", { name: "Save" }).click();
  await until("the name", async () => (await server.call("GET", `${at}/users/${ada.id}`)).name === "Ada typed");
  const kept = await server.call("GET", `${at}/users/${ada.id}`);
  assert.deepEqual([kept.handle, kept.roles], ["ada_told", ["viewer"]]);

  // Rows: the one that was chosen is deleted, whatever came before it meanwhile.
  await server.sql("shop", "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT)");
  await server.sql("shop", "INSERT INTO notes VALUES (10, 'ten'), (20, 'twenty'), (30, 'thirty')");
  await page.goto(`${page.base}/projects/shop/tables/notes?order=id.asc`);
  await page.getByRole("gridcell", { name: "twenty" }).waitFor();
  await page.getByRole("checkbox", { name: "Choose row 2" }).click();
  await page.getByRole("gridcell", { name: "thirty" }).dblclick();
  await page.getByRole("textbox", { name: "text, row 3" }).fill("mine");
  await server.sql("shop", "INSERT INTO notes VALUES (5, 'five')");
  await page.evaluate(() => window.dispatchEvent(new Event("visibilitychange")));
  await page.getByRole("textbox", { name: /^text, row/ }).press("Enter");
  await page.getByRole("gridcell", { name: "five" }).waitFor();
  await page.getByRole("button", { name: "Delete 1" }).click();
  await page.getByRole("button", { name: "Delete 1 row" }).click();
  await until("the deletion", async () => (await server.sql("shop", "SELECT count(*) FROM notes")).rows[0][0] === 3);
  assert.deepEqual((await server.sql("shop", "SELECT id, text FROM notes ORDER BY id")).rows, [[5, "five"], [10, "ten"], [30, "mine"]]);
  faultless(page);
  await page.close();
});

test("a session that ends while a row is typed loses nothing", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/tables/notes`);
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
  assert.equal((await server.sql("shop", "SELECT text FROM notes WHERE id = 40")).rows[0][0], "forty");
  faultless(page);
  await page.close();
});
