/** A thousand projects. */
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
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

test("a thousand projects are paged through, searched, and gone to", async () => {
  const numbers = Array.from({ length: 1_000 }, (_, place) => place + 1);
  const makers = Array.from({ length: 4 }, async () => {
    for (let number = numbers.shift(); number !== undefined; number = numbers.shift()) await server.project(`Customer ${number}`, `customer-${number}`);
  });
  await Promise.all(makers);
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects`);
  await page.getByRole("button", { name: "Next" }).waitFor();
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
