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

/** Lets the page see a thing as it is now, whoever changes it, until the page itself writes: as one does who has just looked. */
async function lookOnce(page, path) {
  let seen = await server.call("GET", path);
  await page.route(`**${path}`, (route) => {
    if (route.request().method() !== "GET") seen = undefined;
    return seen ? route.fulfill({ json: seen }) : route.continue();
  });
}

test("two admins who change a plugin do not undo each other", async () => {
  const at = "/admin/v1/projects/shop/plugins/cron";
  const cron = () => server.call("GET", at);
  const page = await browser.page(server);
  // Grants: what the other took away stays away.
  await lookOnce(page, at);
  await page.goto(`${page.base}/projects/shop/plugins/cron?tab=grants`);
  const writes = page.getByRole("switch", { name: "Write into the audit" });
  await writes.waitFor();
  const { grants } = await cron();
  assert(grants.includes("audit") && grants.includes("blob:private"));
  await server.call("PUT", at, { grants: grants.filter((grant) => grant !== "blob:private") });
  await writes.click();
  await until("the grant", async () => !(await cron()).grants.includes("audit"));
  assert.deepEqual((await cron()).grants, grants.filter((grant) => grant !== "blob:private" && grant !== "audit"));

  // Limits, where the other was faster: nothing is written over unseen.
  await lookOnce(page, at);
  await page.goto(`${page.base}/projects/shop/plugins/cron?tab=limits`);
  const memory = page.getByLabel("Memory, MiB");
  await memory.fill("40");
  const { limits } = await cron();
  await server.call("PUT", at, { limits: { ...limits, concurrency: 7 } });
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Somebody else was faster").waitFor();
  const told = page.getByText("Somebody else changed this plugin while you were editing");
  await told.waitFor();
  // Who it was, as the audit has it.
  await page.getByText(/while you were editing \(.+, .+\)\./).waitFor();
  await page.getByText("concurrency", { exact: true }).waitFor();
  assert.equal(await memory.inputValue(), "40");
  assert.equal((await cron()).limits.concurrency, 7);
  assert.equal((await cron()).limits.memory_mib, limits.memory_mib);
  await pictures(page, "overtaken");
  await page.getByRole("button", { name: "Keep both" }).click();
  await told.waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Save" }).click();
  await until("both", async () => (await cron()).limits.memory_mib === 40 && (await cron()).limits.concurrency === 7);

  // The same field: saved once more, knowingly.
  await lookOnce(page, at);
  await page.goto(`${page.base}/projects/shop/plugins/cron?tab=limits`);
  await memory.fill("50");
  await server.call("PUT", at, { limits: { ...limits, memory_mib: 60 } });
  await page.getByRole("button", { name: "Save" }).click();
  await told.waitFor();
  assert.equal((await cron()).limits.memory_mib, 60);
  assert.equal(await page.getByRole("button", { name: "Keep both" }).count(), 0);
  await page.getByRole("button", { name: "Save" }).click();
  await until("the last", async () => (await cron()).limits.memory_mib === 50);

  // Its configuration: theirs is taken.
  await lookOnce(page, at);
  await page.goto(`${page.base}/projects/shop/plugins/cron?tab=configuration`);
  const runs = page.getByLabel(/^Runs that are kept of a job/);
  await runs.fill("30");
  await server.call("PUT", at, { config: { keep_runs: 20, allowed_targets: ["theirs.example"] } });
  await page.getByRole("button", { name: "Save" }).click();
  await told.waitFor();
  assert.equal((await cron()).config.keep_runs, 20);
  await page.getByRole("button", { name: "Show theirs" }).click();
  assert.equal(await runs.inputValue(), "20");

  // A host that jobs may call comes beside those that are there by now.
  await lookOnce(page, at);
  await page.goto(`${page.base}/projects/shop/cron`);
  await page.getByRole("button", { name: "New job" }).first().click();
  await page.getByRole("textbox", { name: "Address" }).fill("https://mine.example/run");
  const allow = page.getByRole("button", { name: "Allow mine.example" });
  await allow.waitFor();
  await server.call("PUT", at, { config: { keep_runs: 25, allowed_targets: ["theirs.example", "other.example"] } });
  await allow.click();
  await until("all hosts", async () => (await cron()).config.allowed_targets.length === 3);
  assert.deepEqual((await cron()).config, { keep_runs: 25, allowed_targets: ["theirs.example", "other.example", "mine.example"] });
  faultless(page);
  await page.close();
});

test("two admins who change who may sign in, and what users may, are told of each other", async () => {
  const at = "/admin/v1/projects/shop";
  const page = await browser.page(server);
  // A provider.
  const provider = { kind: "oidc", issuer: "https://accounts.example.com", client_id: "first", client_secret: "s3cr3t" };
  const path = `${at}/auth/providers/work`;
  await server.call("PUT", path, provider);
  await page.goto(`${page.base}/projects/shop/users?tab=settings`);
  await page.getByRole("button", { name: "Change" }).click();
  const client = page.getByLabel("Client id");
  await client.fill("mine");
  await server.call("PUT", path, { ...provider, client_id: "theirs" });
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await page.getByText("Somebody else changed this provider while you were editing").waitFor();
  assert.equal((await server.call("GET", path)).client_id, "theirs");
  assert.equal(await client.inputValue(), "mine");
  await page.getByRole("button", { name: "Show theirs" }).click();
  assert.equal(await client.inputValue(), "theirs");
  await client.fill("mine");
  await page.getByLabel("Client secret").fill("another");
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await until("the provider", async () => (await server.call("GET", path)).client_id === "mine");
  // One that is new does not take the place of one that is there.
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Add", exact: true }).click();
  await page.getByRole("textbox", { name: "Name" }).fill("work");
  await client.fill("new");
  await page.getByLabel("Client secret").fill("new");
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await page.getByText(/is there already: change that one/).waitFor();
  assert.equal((await server.call("GET", path)).client_id, "mine");

  // A role.
  await server.install("shop", "files");
  const permissions = (await server.call("GET", `${at}/permissions`)).items.filter((item) => item.plugin === "files");
  await server.call("POST", `${at}/roles`, { name: "clerk", permissions: [] });
  const clerk = async () => (await server.call("GET", `${at}/roles`)).items.find((role) => role.name === "clerk");
  await page.goto(`${page.base}/projects/shop/users?tab=roles`);
  await page.getByRole("button", { name: "Change" }).click();
  await page.getByRole("dialog").getByRole("checkbox", { name: permissions[0].permission }).click();
  await server.call("PATCH", `${at}/roles/clerk`, { permissions: [permissions.at(-1).permission] });
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await page.getByText("Somebody else changed this role while you were editing").waitFor();
  assert.deepEqual((await clerk()).permissions, [permissions.at(-1).permission]);
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await until("the role", async () => (await clerk()).permissions[0] === permissions[0].permission);

  // A row policy.
  await server.sql("shop", "CREATE TABLE shared (id INTEGER PRIMARY KEY, text TEXT)");
  const policies = `${at}/tables/shared/policies`;
  const policy = { roles: ["authenticated"], actions: ["select"], using: true };
  await server.call("PUT", `${policies}/own`, policy);
  const own = async () => (await server.call("GET", policies)).items[0];
  await page.goto(`${page.base}/projects/shop/tables/shared?tab=policies`);
  await page.getByRole("button", { name: "Change", exact: true }).last().click();
  await page.getByRole("dialog").getByRole("checkbox", { name: "who has not signed in" }).click();
  await server.call("PUT", `${policies}/own`, { ...policy, using: "id > 5" });
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await page.getByText("Somebody else changed this policy while you were editing").waitFor();
  assert.deepEqual((await own()).roles, ["authenticated"]);
  await page.getByRole("button", { name: "Show theirs" }).click();
  assert.equal(await page.getByLabel("Of the rows that are there").inputValue(), "sql");
  await page.getByRole("button", { name: "Cancel" }).click();

  // When backups are made.
  await page.goto(`${page.base}/projects/shop/database`);
  await page.getByRole("button", { name: "Schedule" }).click();
  const days = page.getByLabel("Test the newest again after, days");
  await days.fill("9");
  await server.call("PUT", `${at}/backup-policy`, { verify_every_days: 5 });
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await page.getByText("Somebody else changed this policy while you were editing").waitFor();
  assert.equal((await server.call("GET", `${at}/backup-policy`)).verify_every_days, 5);
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await until("the policy", async () => (await server.call("GET", `${at}/backup-policy`)).verify_every_days === 9);
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
