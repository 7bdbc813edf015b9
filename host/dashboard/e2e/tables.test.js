import assert from "node:assert/strict";
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
  await server.project("Shop", "shop", ["db"]);
  await server.sql("shop", "CREATE TABLE customers (id INTEGER PRIMARY KEY, name TEXT NOT NULL)");
  await server.sql("shop", "INSERT INTO customers (id, name) VALUES (1, 'Ada'), (2, '<b>Grace</b>')");
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

const rows = async (sql) => (await server.call("POST", "/admin/v1/projects/shop/sql", { sql })).rows;

test("a table is made, filled, edited in place, filtered, and followed", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/tables`);
  await page.getByRole("button", { name: "New table" }).click();
  await page.getByLabel("Name", { exact: true }).fill("orders");
  await page.getByRole("button", { name: "Add a column" }).click();
  await page.getByLabel("Name of the column").nth(2).fill("customer");
  await page.getByLabel("Type").nth(2).selectOption("integer");
  await page.getByLabel("Refers to").nth(2).selectOption("customers.id");
  await page.getByRole("button", { name: "Add a column" }).click();
  await page.getByLabel("Name of the column").nth(3).fill("note");
  await pictures(page, "table-new");
  await page.getByRole("button", { name: "Create table" }).click();
  await page.getByText("No rows yet").waitFor();

  await page.getByRole("button", { name: "New row" }).click();
  await page.getByLabel(/^customer/).fill("2");
  await page.getByLabel(/^note/).fill("first");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("gridcell", { name: "first" }).waitFor();

  await page.getByRole("gridcell", { name: "first" }).dblclick();
  await page.getByRole("textbox", { name: "note, row 1" }).fill("it's \"edited\"; -- here");
  await page.keyboard.press("Enter");
  await until("the change", async () => (await rows("SELECT note FROM orders"))[0][0] === "it's \"edited\"; -- here");

  // What the database refuses stays to be mended.
  await page.getByRole("gridcell", { name: "2", exact: true }).dblclick();
  await page.getByRole("textbox", { name: "customer, row 1" }).fill("77");
  await page.keyboard.press("Enter");
  await page.locator("[data-sonner-toast]").filter({ hasText: /foreign|refer/i }).first().waitFor();
  await page.keyboard.press("Escape");
  await pictures(page, "table-rows");

  await page.getByRole("link", { name: "To the row of customers" }).click();
  await page.getByRole("gridcell", { name: "<b>Grace</b>" }).waitFor();
  assert.equal(await page.getByRole("gridcell", { name: "Ada" }).count(), 0);
  await page.getByRole("button", { name: "Remove the filter on id" }).click();
  await page.getByRole("gridcell", { name: "Ada" }).waitFor();
  await page.goBack();
  await page.getByRole("gridcell", { name: "<b>Grace</b>" }).waitFor();
  faultless(page);
  await page.close();
});

test("a CSV file is imported, and a hundred thousand rows scroll", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/tables/customers`);
  await page.getByRole("gridcell", { name: "Ada" }).waitFor();
  const lines = ["Name,id,left out", ...Array.from({ length: 250 }, (_, place) => `"Customer, ${place}",${place + 10},x`)];
  await page.getByLabel("CSV file").setInputFiles({ name: "customers.csv", mimeType: "text/csv", buffer: Buffer.from(lines.join("\n")) });
  await page.getByRole("heading", { name: "Import customers.csv" }).waitFor();
  await pictures(page, "table-import");
  await page.getByRole("button", { name: "Import 250 rows" }).click();
  await until("the rows", async () => (await rows("SELECT count(*) FROM customers"))[0][0] === 252);
  await page.getByText("200 rows so far").waitFor();

  await server.sql("shop", "WITH RECURSIVE n(x) AS (SELECT 1000 UNION ALL SELECT x + 1 FROM n WHERE x < 100747) INSERT INTO customers (id, name) SELECT x, 'Row ' || x FROM n");
  await page.reload();
  const grid = page.getByRole("grid", { name: "customers" });
  await grid.waitFor();
  // To the end of what is loaded, again and again: more comes each time.
  for (const target of [400, 600, 800]) {
    await until(`${target} rows`, async () => {
      await grid.evaluate((box) => box.scrollTo(0, box.scrollHeight));
      return Number(await grid.getAttribute("aria-rowcount")) > target;
    });
  }
  assert((await page.getByRole("row").count()) < 80);
  faultless(page);
  await page.close();
});

test("of a hundred thousand rows one is gone to by its number and by its key", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/tables/customers?order=id.asc`);
  const grid = page.getByRole("grid", { name: "customers" });
  await grid.waitFor();
  const ids = async (at) => (await rows(`SELECT id FROM customers ORDER BY id LIMIT 1 OFFSET ${at - 1}`))[0][0];
  await page.getByRole("button", { name: "Go to" }).click();
  await page.getByRole("spinbutton", { name: "Row" }).fill("50000");
  await page.keyboard.press("Enter");
  const found = await ids(50_000);
  const cell = (id) => page.getByRole("gridcell", { name: String(id), exact: true });
  await cell(found).waitFor();
  await until("its selection", async () => (await cell(found).getAttribute("aria-selected")) === "true");
  assert.equal(await grid.getByRole("row").filter({ has: cell(found) }).getAttribute("aria-rowindex"), "50001");
  await pictures(page, "table-goto");

  // The rows before it come when they are looked at, and it may be changed there.
  const before = await ids(49_300);
  await until("rows before", async () => {
    await grid.evaluate((box) => {
      const first = box.querySelector("[aria-rowindex='1']").offsetHeight;
      box.scrollTo(0, 49_299 * 33 - first);
    });
    return cell(before).isVisible();
  });
  await grid.getByRole("row").filter({ has: cell(before) }).getByRole("gridcell").nth(1).dblclick();
  await page.getByRole("textbox", { name: "name, row 49300" }).fill("Looked at");
  await page.keyboard.press("Enter");
  await until("the change", async () => (await rows(`SELECT name FROM customers WHERE id = ${before}`))[0][0] === "Looked at");
  // A long way up at once: the rows there are brought, not all between.
  await until("the first row", async () => {
    await grid.evaluate((box) => box.scrollTo(0, 0));
    return cell(1).isVisible();
  });

  await page.getByRole("button", { name: "Go to" }).click();
  await page.getByRole("combobox", { name: "By" }).selectOption("key");
  await page.getByRole("textbox", { name: "id" }).fill("99999");
  await page.keyboard.press("Enter");
  await page.getByRole("gridcell", { name: "Row 99999" }).waitFor();
  await page.reload();
  await page.getByRole("gridcell", { name: "Row 99999" }).waitFor();
  await page.getByRole("button", { name: "Go to" }).click();
  await page.getByRole("spinbutton", { name: "Row" }).fill("500000");
  await page.keyboard.press("Enter");
  await page.getByText("There are fewer rows").waitFor();
  await page.getByRole("button", { name: "To the first row" }).click();
  await cell(1).waitFor();
  faultless(page);
  await page.close();
});

test("columns and policies are changed, and a table is dropped", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/tables/orders?tab=structure`);
  await page.getByRole("button", { name: "Add a column" }).click();
  await page.getByLabel("Name of the column").fill("paid");
  await page.getByLabel("Type").selectOption("boolean");
  await page.getByRole("button", { name: "Add column" }).click();
  await page.getByRole("cell", { name: "paid", exact: true }).waitFor();
  const orders = () => server.call("GET", "/admin/v1/projects/shop/tables/orders");
  await page.getByRole("button", { name: "Actions for the column note" }).click();
  await page.getByRole("menuitem", { name: "Type, NULL, default" }).click();
  await page.getByLabel("When a row does not say").selectOption("set");
  await page.getByLabel("Value", { exact: true }).fill("nothing to say");
  await page.getByRole("button", { name: "Change it" }).click();
  await until("the default", async () => (await orders()).columns.find((one) => one.name === "note").default?.includes("nothing to say"));
  await page.getByRole("button", { name: "Add an index" }).click();
  await page.getByRole("dialog").getByLabel("note").click();
  await page.getByRole("dialog").getByRole("button", { name: "Add index" }).click();
  const index = await until("the index", async () => (await orders()).indexes.find((one) => one.columns.join() === "note"));
  await page.getByRole("button", { name: "Add a condition" }).click();
  await page.getByLabel("Condition, SQL").fill("note <> 'forbidden'");
  await page.getByRole("dialog").getByRole("button", { name: "Add the condition" }).click();
  await page.getByText("CHECK (note <> 'forbidden')").waitFor();
  await pictures(page, "table-structure");
  await page.getByRole("button", { name: `Drop the index ${index.name}` }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Drop it" }).click();
  await until("the end of the index", async () => !(await orders()).indexes.some((one) => one.name === index.name));

  await page.getByRole("tab", { name: /Policies/ }).click();
  await page.getByRole("button", { name: "New policy" }).click();
  await page.getByLabel("Name").fill("everyone_reads");
  await page.getByLabel("everybody").click();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("everyone_reads").waitFor();
  await pictures(page, "table-policies");
  const table = await server.call("GET", "/admin/v1/projects/shop/tables/orders");
  assert.equal(table.policies[0].name, "everyone_reads");
  assert(table.policies[0].roles.includes("*"));

  await page.getByRole("button", { name: "Actions for orders" }).click();
  await page.getByRole("menuitem", { name: "Drop…" }).click();
  await page.getByLabel(/to confirm/).fill("orders");
  await page.getByRole("button", { name: "Drop the table" }).click();
  await page.getByText("Choose a table").waitFor();
  await server.call("GET", "/admin/v1/projects/shop/tables/orders", undefined, 404);
  faultless(page);
  await page.close();
});

test("cells are edited as in a spreadsheet, and what somebody else changed is not written over unseen", async () => {
  await server.sql("shop", "CREATE TABLE marks (id INTEGER PRIMARY KEY, word TEXT, note TEXT)");
  await server.sql("shop", "INSERT INTO marks (id, word, note) VALUES (1, 'one', NULL), (2, 'two', 'kept')");
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/tables/marks`);
  const cell = (name) => page.getByRole("gridcell", { name, exact: true });
  const box = (name) => page.getByRole("textbox", { name });
  const word = async (id) => (await rows(`SELECT word, note FROM marks WHERE id = ${id}`))[0];

  // Nothing typed into a cell without a value leaves it so.
  await cell("NULL").dblclick();
  await page.keyboard.press("Enter");
  await box("note, row 1").waitFor({ state: "detached" });
  assert.equal((await word(1))[1], null);
  // A letter begins, a tab goes on, a click elsewhere keeps.
  await cell("one").click();
  await page.keyboard.press("u");
  await box("word, row 1").pressSequentially("no");
  await page.keyboard.press("Tab");
  await until("the word", async () => (await word(1))[0] === "uno");
  await box("word, row 1").waitFor({ state: "detached" });
  await page.keyboard.press("Enter");
  await box("note, row 1").fill("a note");
  await cell("two").click();
  await until("the note", async () => (await word(1))[1] === "a note");
  await box("note, row 1").waitFor({ state: "detached" });
  // No value, by the keyboard.
  await cell("kept").click();
  await page.keyboard.press("Control+0");
  await until("no note", async () => (await word(2))[1] === null);

  await cell("two").dblclick();
  await server.sql("shop", "UPDATE marks SET word = 'deux' WHERE id = 2");
  await box("word, row 2").fill("zwei");
  await page.keyboard.press("Enter");
  await page.getByText("somebody has changed this meanwhile: word is “deux” now").waitFor();
  assert.equal((await word(2))[0], "deux");
  assert.equal(await box("word, row 2").inputValue(), "zwei");
  await page.keyboard.press("Enter");
  await until("the word of the second", async () => (await word(2))[0] === "zwei");

  // So it is with what is written in many ways.
  await server.sql("shop", "CREATE TABLE prices (id INTEGER PRIMARY KEY, price NUMERIC(10, 2), about JSON, since TIMESTAMP)");
  await server.sql("shop", `INSERT INTO prices VALUES (1, 1.5, '{"a": 1}', '2026-01-02T03:04:05Z')`);
  await page.goto(`${page.base}/projects/shop/tables/prices`);
  for (const [name, theirs, mine] of [
    ["price", "2.25", "3.75"],
    ["about", '{"a": 2}', '{"a": 3}'],
    ["since", "2026-02-02T03:04:05Z", "2026-03-02T03:04:05Z"],
  ]) {
    const kept = async () => JSON.stringify((await rows(`SELECT ${name} FROM prices`))[0][0]).replaceAll(/[\s"\\]/g, "");
    const same = (text) => text.replaceAll(/[\s"]/g, "");
    const place = ["id", "price", "about", "since"].indexOf(name);
    await page.getByRole("gridcell").nth(place).dblclick();
    await server.sql("shop", `UPDATE prices SET ${name} = '${theirs}'`);
    await box(`${name}, row 1`).fill(mine);
    await page.keyboard.press("Enter");
    await page.getByText(`somebody has changed this meanwhile: ${name} is`).waitFor();
    assert(!(await kept()).includes(same(mine)), `${name}: ${await kept()}`);
    await page.keyboard.press("Enter");
    await until(`my ${name}`, async () => (await kept()).includes(same(mine)));
    await box(`${name}, row 1`).waitFor({ state: "detached" });
  }
  faultless(page);
  await page.close();
});
