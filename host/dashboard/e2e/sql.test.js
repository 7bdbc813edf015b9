import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
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
  await server.project("Shop", "shop");
  await server.sql("shop", "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer TEXT NOT NULL, total REAL, note TEXT)");
  const rows = Array.from({ length: 400 }, (_, place) => `(${place + 1}, 'Customer ${place + 1}', ${((place * 37) % 500) / 4}, ${place % 5 ? "NULL" : "'=1+1'"})`);
  await server.sql("shop", `INSERT INTO orders (id, customer, total, note) VALUES ${rows.join(",")}`);
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

async function write(page, text) {
  await page.locator(".monaco-editor").first().waitFor();
  await page.locator(".monaco-editor .view-lines").first().click();
  await page.keyboard.press("Control+a");
  await page.keyboard.press("Delete");
  await page.keyboard.insertText(text);
}

test("a statement is run, its rows are shown, exported, and remembered", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/sql`);
  await write(page, "SELECT * FROM orders ORDER BY id;\nSELECT count(*) AS many FROM orders;");
  // The statement at the cursor is the last one.
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByRole("gridcell", { name: "400", exact: true }).waitFor();
  await page.keyboard.press("Escape");
  await page.locator(".monaco-editor .view-lines").first().click();
  await page.keyboard.press("Control+Home");
  await page.keyboard.press("Control+Enter");
  await page.getByRole("gridcell", { name: "Customer 1", exact: true }).waitFor();
  await page.getByText("400 rows").waitFor();
  await page.getByRole("gridcell", { name: "Customer 2", exact: true }).click();
  await pictures(page, "sql");
  // Rows that are not in view are not in the page.
  assert((await page.getByRole("row").count()) < 80);

  await page.getByRole("button", { name: "Export" }).click();
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("menuitem", { name: "As CSV" }).click()]);
  const csv = await readFile((await file.path()) ?? "", "utf8");
  assert.equal(csv.split("\r\n").length, 401);
  assert.match(csv, /1,Customer 1,0,'=1\+1/);

  await page.getByRole("tab", { name: "History" }).click();
  await page.getByRole("button", { name: /count\(\*\)/ }).first().waitFor();
  await page.reload();
  await page.getByText("SELECT count(*) AS many").first().waitFor();
  faultless(page);
  await page.close();
});

test("nothing is written unless the sheet may write", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/sql`);
  await page.getByRole("button", { name: "New sheet" }).click();
  await write(page, "DELETE FROM orders WHERE id = 400");
  await page.getByRole("button", { name: "Run" }).click();
  await page.locator('main p[role="alert"]').waitFor();
  const many = async () => (await server.call("POST", "/admin/v1/projects/shop/sql", { sql: "SELECT count(*) FROM orders" })).rows[0][0];
  assert.equal(await many(), 400);
  await page.getByRole("switch", { name: "Statements may write" }).click();
  await pictures(page, "sql-refused");
  await page.getByRole("button", { name: "Run" }).click();
  await until("the deletion", async () => (await many()) === 399);
  faultless(page);
  await page.close();
});

test("a statement is explained, saved, and opened again; names are completed", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/sql`);
  await page.getByRole("button", { name: "New sheet" }).click();
  await write(page, "SELECT * FROM orders WHERE customer = 'x'");
  await page.getByRole("button", { name: "Explain" }).click();
  await page.getByText(/SCAN orders/).first().waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByLabel("Name").fill("orders of x");
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await page.getByRole("tab", { name: "Saved" }).click();
  const kept = page.getByRole("tabpanel", { name: "Saved" });
  await kept.getByRole("button", { name: /^orders of x/ }).waitFor();

  // Under the same name it is overwritten, once one has seen what was there.
  await write(page, "SELECT * FROM orders WHERE customer = 'y'");
  await page.getByRole("button", { name: "Save" }).click();
  const dialog = page.getByRole("dialog");
  assert.equal(await dialog.getByLabel("Name").inputValue(), "orders of x");
  await dialog.getByText("WHERE customer = 'x'").waitFor();
  await pictures(page, "sql-overwrite");
  await dialog.getByRole("button", { name: "Overwrite" }).click();
  await kept.getByRole("button", { name: /^orders of x.*'y'/ }).waitFor();
  const saved = (await server.call("GET", "/admin/v1/projects/shop/sql/saved")).items;
  assert.deepEqual(saved.map(({ name, sql }) => [name, sql]), [["orders of x", "SELECT * FROM orders WHERE customer = 'y'"]]);

  // Whoever was sent a link to it has it, once.
  for (let turn = 0; turn < 2; turn += 1) {
    await page.goto(`${page.base}/projects/shop/sql?saved=${(await server.call("GET", "/admin/v1/projects/shop/sql/saved")).items[0].id}`);
    await page.waitForURL((url) => !url.searchParams.has("saved"));
    await page.locator(".view-lines").getByText("'y'").waitFor();
  }
  await page.goto(`${page.base}/projects/shop/sql?saved=01900000-0000-7000-8000-000000000001`);
  await page.getByText("not saved any more").waitFor();
  await page.locator(".view-lines").getByText("'y'").waitFor();
  await page.getByRole("button", { name: "New sheet" }).click();

  await write(page, "");
  await page.keyboard.type("SELECT * FROM ord", { delay: 20 });
  await page.locator('.suggest-widget [aria-label^="orders"]').first().waitFor();
  await page.keyboard.press("Escape");
  faultless(page);
  await page.close();
});

test("a statement that takes too long is cancelled", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/sql`);
  await page.getByRole("button", { name: "New sheet" }).click();
  await write(page, "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 2000000000) SELECT max(x) FROM n");
  await page.getByRole("button", { name: "Run" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  await page.locator('main p[role="alert"]').waitFor();
  await page.getByRole("button", { name: "Run" }).waitFor();
  faultless(page);
  await page.close();
});

test("the editor comes only with its page", async () => {
  const page = await browser.page(server);
  const scripts = [];
  page.on("response", async (response) => {
    if (response.request().resourceType() === "script") scripts.push(response.url());
  });
  await page.goto(`${page.base}/projects`);
  await page.getByRole("link", { name: /shop/ }).first().waitFor();
  assert(scripts.length > 0);
  assert(!scripts.some((url) => url.includes("monaco")), scripts.join("\n"));
  // What the first page loads, as it comes over the line.
  let sum = 0;
  for (const url of new Set(scripts)) {
    const { request } = await import("node:http");
    sum += await new Promise((resolve, reject) => {
      const asked = request(url.replace(server.pages, server.built ? server.pages : server.url), { headers: { "accept-encoding": "br, gzip" } }, (response) => {
        let size = 0;
        response.on("data", (chunk) => {
          size += chunk.length;
        });
        response.on("end", () => resolve(size));
        response.on("error", reject);
      });
      asked.on("error", reject);
      asked.end();
    });
  }
  console.log(`the first page loads ${Math.round(sum / 1024)} KiB of script`);
  // The preview of the build tool compresses nothing.
  if (!server.built) assert(sum <= 250 * 1024, `${sum} bytes`);
  await page.close();
});
