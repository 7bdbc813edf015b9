import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { Browser, Server, faultless, owner, pictures, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
const rows = async (sql) => (await server.sql("shop", sql)).rows;

before(async () => {
  server = await Server.start();
  browser = await Browser.start();
  await server.setUp();
  await server.project("Shop", "shop", ["db"]);
  await server.call("POST", "/admin/v1/projects/shop/tables", {
    name: "customers",
    columns: [
      { name: "id", type: "bigint", primary_key: true },
      { name: "name", type: "text", nullable: false },
      { name: "since", type: "date" },
    ],
  });
  await server.sql("shop", "INSERT INTO customers (id, name, since) VALUES (1, 'Ada', '2026-01-05'), (2, '=Grace', NULL)");
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

test("who has not switched the plugin on is told where to", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/database?tab=transfer`);
  await page.getByText("The plugin transfer is not switched on").waitFor();
  await pictures(page, "transfer-off");
  for (const plugin of ["storage", "files", "transfer"]) await server.install("shop", plugin);
  await page.reload();
  await page.getByRole("heading", { name: "Export", exact: true }).waitFor();
  faultless(page);
  await page.close();
});

test("a table is exported, and downloaded when it is ready", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/database?tab=transfer`);
  await page.getByLabel("Table", { exact: true }).selectOption("customers");
  await page.getByLabel("Between cells").selectOption({ label: "semicolon" });
  await page.getByRole("button", { name: "Export", exact: true }).click();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
  const text = await readFile((await file.path()) ?? "", "utf8");
  assert.match(text, /^"id";"name";"since"\r\n1;"Ada";2026-01-05\r\n2;"'=Grace";/);
  await pictures(page, "transfer-export");
  await page.getByRole("button", { name: "Close", exact: true }).click();

  await server.call("POST", "/admin/v1/projects/shop/users", { email: "ada@example.com" });
  await rows("CREATE INDEX customers_named ON customers (name) WHERE name <> ''");
  await page.getByLabel("What").selectOption("database");
  await page.getByRole("checkbox", { name: "With the project's users" }).check();
  await page.getByRole("button", { name: "Export", exact: true }).click();
  const [archive] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
  assert.match(archive.suggestedFilename(), /\.zip$/);
  faultless(page);
  await page.close();
});

test("a file is dropped, mapped, tried, mended and imported", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/database?tab=transfer`);
  await page.getByText("Drop a file here").waitFor();
  const csv = "Number;Name;since;left out\n1;Ada Lovelace;2026-01-05;x\nseven;Edsger;2026-03-01;x\n8;Barbara;2026-02-01;x\n";
  const dropped = await page.evaluateHandle((text) => {
    const transfer = new DataTransfer();
    transfer.items.add(new File([text], "people.csv", { type: "text/csv" }));
    return transfer;
  }, csv);
  const zone = page.getByText("Drop a file here").locator("xpath=..");
  await zone.dispatchEvent("dragover", { dataTransfer: dropped });
  await zone.dispatchEvent("drop", { dataTransfer: dropped });
  await page.getByRole("heading", { name: "Import people.csv" }).waitFor();
  await page.getByLabel("Into the table").selectOption("customers");
  await page.getByLabel("Goes into, Number").selectOption("id");
  assert.equal(await page.getByLabel("Goes into, Name").inputValue(), "name");
  await page.getByText("Some values are no integer, but text.").waitFor();
  await page.getByLabel("Rows that are there already").selectOption("upsert");
  await page.getByLabel("When a row cannot be taken").selectOption("skip");
  await pictures(page, "transfer-mapping");
  await page.getByRole("button", { name: "Check only" }).click();
  await page.getByText("Not every row would go in").waitFor();
  await page.getByRole("cell", { name: "seven", exact: true }).first().waitFor();
  assert.equal((await rows("SELECT count(*) FROM customers"))[0][0], 2);
  await pictures(page, "transfer-checked");
  await page.getByRole("button", { name: "Import what fits" }).click();
  await page.getByText("Imported, but not every row").waitFor();
  assert.deepEqual(await rows("SELECT id, name FROM customers ORDER BY id"), [
    [1, "Ada Lovelace"],
    [2, "=Grace"],
    [8, "Barbara"],
  ]);
  await page.getByRole("dialog").getByRole("button", { name: "Close", exact: true }).last().click();

  await page.getByRole("row").filter({ hasText: "csv into customers" }).first().getByRole("button").click();
  await page.getByRole("cell", { name: "seven", exact: true }).waitFor();
  await pictures(page, "transfer-report");
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await pictures(page, "transfer");
  faultless(page);
  await page.close();
});

test("a table is made for a file, as proposed and corrected", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/database?tab=transfer`);
  const csv = "ID,Full name,Since,Score,Notes\n1,Ada,1815-12-10,1.5,x\n2,Grace,,2,y\n";
  await page.getByLabel("File to import").setInputFiles({ name: "Old members (2).csv", mimeType: "text/csv", buffer: Buffer.from(csv) });
  await page.getByLabel("Into the table").selectOption({ label: "a new table" });
  assert.equal(await page.getByLabel("Name of the new table").inputValue(), "old_members_2");
  await page.getByLabel("Name of the column for Full name").waitFor();
  assert.equal(await page.getByLabel("Name of the column for Full name").inputValue(), "full_name");
  assert.equal(await page.getByLabel("Type of the column for Since").inputValue(), "date");
  await page.getByLabel("Name of the new table").fill("members");
  await page.getByLabel("Name of the column for Full name").fill("id");
  await page.getByText("Two columns are called id.").waitFor();
  assert(await page.getByRole("button", { name: "Import", exact: true }).isDisabled());
  await page.getByLabel("Name of the column for Full name").fill("name");
  await page.getByLabel("Type of the column for Score").selectOption("real");
  await page.getByRole("columnheader", { name: "Notes" }).getByLabel("Leave out").click();
  await pictures(page, "transfer-new-table");
  await page.getByRole("button", { name: "Check only" }).click();
  await page.getByText("Every row would go in").waitFor();
  await page.getByRole("button", { name: "Import now" }).click();
  await page.getByText("Imported", { exact: true }).waitFor();
  assert.deepEqual(await rows("SELECT id, name, since, score FROM members ORDER BY id"), [
    [1, "Ada", "1815-12-10", 1.5],
    [2, "Grace", null, 2],
  ]);
  const made = await server.call("GET", "/admin/v1/projects/shop/tables/members");
  assert.deepEqual(made.primary_key, ["id"]);
  await page.getByRole("dialog").getByRole("button", { name: "Close", exact: true }).last().click();
  await server.call("DELETE", "/admin/v1/projects/shop/tables/members?confirm=members");
  faultless(page);
  await page.close();
});

test("an archive of all tables goes back in, and a job is deleted", async () => {
  const job = (await server.call("GET", "/p/shop/transfer/jobs")).items.find((one) => one.what === "database");
  const { result } = await server.call("GET", `/p/shop/transfer/jobs/${job.id}`);
  const bytes = Buffer.from(await (await fetch(new URL(result.url, server.url))).arrayBuffer());
  // The table itself is gone, and is made anew.
  await server.call("DELETE", "/admin/v1/projects/shop/tables/customers?confirm=customers");
  const { items: users } = await server.call("GET", "/admin/v1/projects/shop/users");
  await server.call("DELETE", `/admin/v1/projects/shop/users/${users[0].id}`);
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/database?tab=transfer`);
  await page.getByLabel("File to import").setInputFiles({ name: "shop.zip", mimeType: "application/zip", buffer: bytes });
  await page.getByLabel("What is in it").waitFor();
  await page.getByRole("checkbox", { name: "Take its users along" }).check();
  await page.getByRole("button", { name: "Import", exact: true }).click();
  // An index with a condition has no words that both engines know.
  await page.getByRole("checkbox", { name: "index:customers_named" }).check();
  await pictures(page, "transfer-archive");
  await page.getByRole("button", { name: "Import", exact: true }).click();
  await page.getByText("Imported", { exact: true }).waitFor();
  await page.getByText("0 users of the archive are here already, 1 added.").waitFor();
  assert.equal((await server.call("GET", "/admin/v1/projects/shop/users")).items[0].id, users[0].id);
  assert.equal((await rows("SELECT count(*) FROM customers"))[0][0], 2);
  await page.getByRole("dialog").getByRole("button", { name: "Close", exact: true }).last().click();

  await page.getByRole("row").filter({ hasText: "zip into all tables" }).getByRole("button").click();
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await until("the deletion", async () => !(await server.call("GET", "/p/shop/transfer/jobs")).items.some((one) => one.kind === "import" && one.what === "database"));
  faultless(page);
  await page.close();
});

test("all files are exported, and a folder of files is taken", async () => {
  const made = await fetch(`${server.url}/p/shop/files/upload`, {
    method: "POST",
    headers: { "x-dev-admin-token": server.token, "content-type": "text/plain", "file-path": "notes.txt" },
    body: "Hello",
  });
  assert(made.ok, `${made.status} ${await made.text()}`);
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/database?tab=transfer`);
  await page.getByLabel("What").selectOption("files");
  await page.getByRole("button", { name: "Export", exact: true }).click();
  const [archive] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
  const path = await archive.path();
  assert((await readFile(path ?? "")).includes("Hello"));
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await page.getByLabel("File to import").setInputFiles({ name: "folder.zip", mimeType: "application/zip", buffer: await readFile(path ?? "") });
  await page.getByLabel("What is in it").selectOption("files");
  await page.getByRole("button", { name: "Check only" }).click();
  // An archive of files has no metadata beside them: each is told of.
  await page.getByText("cannot be stored, so none is").waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Close", exact: true }).last().click();
  // One for another project has.
  await page.getByLabel("What").selectOption("files");
  await page.getByLabel("Format").selectOption("metadata");
  await page.getByRole("button", { name: "Export", exact: true }).click();
  const [whole] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
  await page.getByRole("button", { name: "Close", exact: true }).click();
  const { items } = await server.call("GET", "/p/shop/files?path=notes.txt");
  await server.call("DELETE", `/p/shop/files/${items[0].id}?permanent=1`);
  await page.getByLabel("File to import").setInputFiles({ name: "folder.zip", mimeType: "application/zip", buffer: await readFile((await whole.path()) ?? "") });
  await page.getByLabel("What is in it").selectOption("files");
  await page.getByRole("button", { name: "Import", exact: true }).click();
  await page.getByText("1 file stored", { exact: true }).waitFor();
  assert.equal((await server.call("GET", "/p/shop/files?path=notes.txt")).items.length, 1);
  faultless(page);
  await page.close();
});

test("a file that is dropped on a table goes the same way", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/tables/customers`);
  await page.getByRole("gridcell", { name: "Ada" }).waitFor();
  const lines = ["id,name", ...Array.from({ length: 3_000 }, (_, place) => `${place + 100},Customer ${place}`)];
  await page.getByLabel("CSV file").setInputFiles({ name: "customers.csv", mimeType: "text/csv", buffer: Buffer.from(lines.join("\n")) });
  await page.getByRole("heading", { name: "Import customers.csv" }).waitFor();
  await page.getByLabel("Goes into, id").waitFor();
  await page.getByRole("button", { name: "Import", exact: true }).click();
  await page.getByText("Imported", { exact: true }).waitFor();
  assert.equal((await rows("SELECT count(*) FROM customers"))[0][0], 3_002);
  await page.getByRole("dialog").getByRole("button", { name: "Close", exact: true }).last().click();
  await page.getByText("200 rows so far").waitFor();
  faultless(page);
  await page.close();
});

test("what the tables have been through is shown with its statements", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/database?tab=migrations`);
  await page.getByRole("button", { name: /customers/ }).first().click();
  await page.getByText(/CREATE TABLE/).waitFor();
  await pictures(page, "migration");
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await page.getByLabel("Of", { exact: true }).selectOption("transfer");
  await page.getByRole("row").filter({ hasText: "transfer" }).first().waitFor();
  await page.getByLabel("Of", { exact: true }).selectOption("");
  await pictures(page, "migrations");
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "All as SQL" }).click()]);
  assert.match(await readFile((await file.path()) ?? "", "utf8"), /customers/);
  faultless(page);
  await page.close();
});

test("a session that ends while a file is sent has it sent again", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/database?tab=transfer`);
  await page.getByText("Drop a file here").waitFor();
  await browser.context.clearCookies();
  await page.getByLabel("File to import").setInputFiles({ name: "late.csv", mimeType: "text/csv", buffer: Buffer.from("id,name\n7000,Late\n") });
  await page.getByRole("heading", { name: "Sign in again" }).waitFor();
  await page.getByLabel("Password").fill(owner.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByLabel("Into the table").selectOption("customers");
  await page.getByLabel("Goes into, id").waitFor();
  faultless(page);
  await page.close();
});
