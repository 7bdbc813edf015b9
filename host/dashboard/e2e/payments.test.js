import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { Browser, Server, faultless, freePort, pictures, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
let simulator;
before(async () => {
  const port = await freePort();
  simulator = spawn(process.env.ATLASHUB_BIN, ["daraja-sim", "--listen", `127.0.0.1:${port}`, "--seed", "7"], { stdio: "ignore" });
  simulator.url = `http://127.0.0.1:${port}`;
  server = await Server.start({ ATLASHUB_EGRESS_ALLOW: `127.0.0.1:${port}` });
  browser = await Browser.start();
  await server.setUp();
  await server.project("Shop", "shop", ["mpesa"]);
  await until("the stand-in", async () => (await fetch(`${simulator.url}/_sim/faults`)).ok);
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
  simulator?.kill("SIGTERM");
});

const config = async () => (await server.call("GET", "/admin/v1/projects/shop/plugins/mpesa")).config;
const faults = (body) =>
  fetch(`${simulator.url}/_sim/faults`, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }).then((answer) => assert(answer.ok));
const payment = (id) => server.plugin("shop", "GET", `/mpesa/transactions/${id}`);
const push = async (phone, amount, reference, more = {}) =>
  (await server.plugin("shop", "POST", "/mpesa/stkpush", { phone, amount, account_reference: reference, ...more })).transaction_id;
const settled = (id, status) => until(`${id} to be ${status}`, async () => (await payment(id)).status === status);
const csvPath = async (download) => readFile((await download.path()) ?? "", "utf8");

test("shortcodes are set up, and the test of a connection says what is wrong", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/payments`);
  await page.getByText("No payments yet").waitFor();
  await page.getByRole("tab", { name: "Settings" }).click();
  await page.getByLabel("Environment").selectOption("custom");
  await page.getByLabel("Address of another environment").fill(simulator.url);
  const first = page.getByRole("region", { name: "Shortcode default" });
  await first.getByLabel("Paybill, or the number of the store").fill("174379");
  await first.getByLabel("Consumer key").fill("sim-key");
  await first.getByLabel("Consumer secret").fill("not-the-secret");
  await first.getByLabel("Passkey").fill("sim-passkey");
  assert(await first.getByRole("button", { name: "Test the connection" }).isDisabled());
  await page.getByRole("button", { name: "Save" }).click();
  await until("the settings", async () => (await config()).shortcode === "174379");
  await first.getByRole("button", { name: "Test the connection" }).click();
  await first.getByText(/The consumer key and the secret were refused/).waitFor();
  await pictures(page, "payments-refused");

  // What is kept is not shown; another is typed over it.
  await page.reload();
  assert.equal(await first.getByLabel("Consumer secret").inputValue(), "");
  await first.getByLabel("Consumer secret").fill("sim-secret");
  await first.getByLabel("Initiator", { exact: true }).fill("sim-initiator");
  await first.getByLabel("The initiator's security credential").fill("sim-credential");
  await page.getByLabel("Its name").fill("shop-two");
  await page.getByRole("button", { name: "Add", exact: true }).first().click();
  const second = page.getByRole("region", { name: "Shortcode shop-two" });
  await second.getByLabel("Paybill, or the number of the store").fill("600984");
  await second.getByLabel("Consumer key").fill("sim-key");
  await page.getByRole("group", { name: "Addresses that Safaricom calls from" }).getByRole("button", { name: "Add" }).click();
  await page.getByLabel("Addresses that Safaricom calls from 1").fill("127.0.0.1");
  await page.getByLabel(/^First question after/).fill("1");
  await page.getByRole("button", { name: "Save" }).click();
  await until("the settings", async () => (await config()).accounts?.["shop-two"]?.shortcode === "600984");
  assert.equal((await config()).query_after_seconds, 1);
  await first.getByRole("button", { name: "Test the connection" }).click();
  await first.getByText(/It works: the keys were taken/).waitFor();
  await first.getByText(/payouts have an initiator/).waitFor();
  await second.getByRole("button", { name: "Test the connection" }).click();
  await second.getByText("The consumer secret is not set").waitFor();
  await pictures(page, "payments-settings");
  faultless(page);
  await page.close();
});

test("payments are found by what one knows, and each tells its story", async () => {
  const paid = await push("0712 345 678", 1250, "INV-7");
  await settled(paid, "succeeded");
  await faults({ outcome: "1032" });
  const refused = await push("0712000002", 80, "<b>INV-8</b>".slice(0, 12));
  await settled(refused, "cancelled");
  await faults({});
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/payments`);
  await page.getByRole("button", { name: /KES 1,250/ }).waitFor();
  await page.getByRole("cell", { name: "refused by the customer" }).first().waitFor();
  const { receipt_number: receipt } = await payment(paid);
  for (const text of ["0712 345 678", receipt, "INV-7"]) {
    await page.getByRole("searchbox", { name: "Search payments" }).fill(text);
    await page.keyboard.press("Enter");
    await until("one row", async () => (await page.getByRole("table", { name: "Payments" }).getByRole("row").count()) === 2);
    await page.getByRole("button", { name: /KES 1,250/ }).waitFor();
  }
  await page.getByRole("button", { name: "Without filters" }).click();
  await page.getByLabel("State").selectOption("cancelled");
  await page.getByRole("button", { name: /KES 80/ }).waitFor();
  await until("one row", async () => (await page.getByRole("table", { name: "Payments" }).getByRole("row").count()) === 2);
  await page.goBack();
  await page.getByRole("button", { name: /KES 1,250/ }).click();
  const story = page.getByRole("list", { name: "Story" });
  await story.getByText("Safaricom told what came of it.").waitFor();
  assert.equal(await story.getByRole("listitem").count(), 3);
  await pictures(page, "payment");
  faultless(page);
  await page.close();
});

test("what needs a review is settled by hand, and money is given back", async () => {
  await faults({ outcome: "7777" });
  const doubtful = await push("0712000003", 300, "INV-9");
  await settled(doubtful, "needs_review");
  await faults({});
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/payments?status=needs_review`);
  await page.getByRole("button", { name: /KES 300/ }).click();
  await page.getByText("Safaricom answered with a code that is in no table.").first().waitFor();
  await page.getByLabel("Receipt").fill("ABC1234XYZ");
  await page.getByLabel("How you know").fill("It is in the portal's statement");
  await pictures(page, "payment-review");
  await page.getByRole("button", { name: "Settle", exact: true }).click();
  await settled(doubtful, "succeeded");
  await page.getByText("Somebody settled it by hand.").waitFor();
  assert.equal((await payment(doubtful)).receipt_number, "ABC1234XYZ");

  const paid = (await server.plugin("shop", "GET", "/mpesa/transactions?account_reference=INV-7")).items[0];
  await page.goto(`${page.base}/projects/shop/payments?payment=${paid.id}`);
  await page.getByRole("button", { name: "Give the money back…" }).click();
  const give = page.getByRole("button", { name: "Give it back" });
  assert(await give.isDisabled());
  await page.getByLabel(/to confirm/).fill(paid.receipt_number);
  await give.click();
  await page.getByRole("heading", { name: /reversal/ }).waitFor();
  const reversal = await until("the reversal", async () => (await server.plugin("shop", "GET", "/mpesa/transactions?kind=reversal")).items[0]);
  assert.equal(reversal.about, paid.id);
  await settled(reversal.id, "succeeded");
  faultless(page);
  await page.close();
});

test("a day is put together, compared with a statement, and exported", async () => {
  const page = await browser.page(server);
  for (let place = 0; place < 3; place += 1) await settled(await push(`071200010${place}`, 100 + place, `INV-${20 + place}`), "succeeded");
  await page.goto(`${page.base}/projects/shop/payments?tab=day`);
  await page.getByText("Everything fits").waitFor();
  await page.getByText("It fits").waitFor();
  await pictures(page, "payments-day");
  const report = await server.plugin("shop", "GET", "/mpesa/reconciliation");
  await page.getByText(`KES ${new Intl.NumberFormat("en-KE").format(Number(report.money_in.amount))}`).first().waitFor();
  const { items } = await server.plugin("shop", "GET", "/mpesa/transactions?account_reference=INV-20");
  const lines = ["Statement of 174379", "Receipt No.,Completion Time,Paid In,Withdrawn", `${items[0].receipt_number},x,"1,100.00",`, "QQQ1111QQQ,x,5.00,"];
  await page.getByLabel("Statement").setInputFiles({ name: "statement.csv", mimeType: "text/csv", buffer: Buffer.from(lines.join("\n")) });
  await page.getByText("Compared with 2 lines of statement.csv.").waitFor();
  await page.getByText("Another amount in the statement").waitFor();
  await page.getByText("In the statement, not here").waitFor();
  await page.getByText("Here, not in the statement").first().waitFor();
  await pictures(page, "payments-statement");
  await page.getByRole("row", { name: /Another amount/ }).getByRole("button", { name: "Look at it" }).click();
  await page.getByRole("heading", { name: "KES 100, push" }).waitFor();
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await page.getByLabel("Statement").setInputFiles({ name: "wrong.csv", mimeType: "text/csv", buffer: Buffer.from("a,b\n1,2") });
  await page.getByText(/no columns for a receipt and an amount/).waitFor();

  await page.getByRole("tab", { name: "Payments", exact: true }).click();
  await page.getByRole("button", { name: "Export" }).click();
  await page.getByLabel("First day").fill(report.day);
  await page.getByLabel("Last day").fill(report.day);
  await pictures(page, "payments-export");
  const [file] = await Promise.all([page.waitForEvent("download"), page.getByRole("link", { name: "Download" }).click()]);
  const csv = await csvPath(file);
  assert.match(csv, /^id,kind,status/);
  assert.match(csv, /INV-7/);
  await pictures(page, "payments");
  faultless(page);
  await page.close();
});

test("two who change the settings are told of each other", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/payments?tab=settings`);
  const most = page.getByLabel(/^Most of one payment/);
  await most.fill("5000");
  const theirs = { ...(await config()), pushes_per_minute: 9 };
  await server.call("PUT", "/admin/v1/projects/shop/plugins/mpesa", { config: theirs });
  await page.getByText("Somebody else changed this plugin while you were editing").waitFor();
  assert.equal(await most.inputValue(), "5000");
  await page.getByRole("button", { name: "Show theirs" }).click();
  assert.equal(await page.getByLabel(/^Pushes of a user in a minute/).inputValue(), "9");
  await most.fill("6000");
  await page.getByRole("button", { name: "Save" }).click();
  await until("both", async () => {
    const now = await config();
    return now.max_amount === 6000 && now.pushes_per_minute === 9 && now.accounts["shop-two"].shortcode === "600984";
  });
  // What was hidden stayed what it was.
  const found = await server.plugin("shop", "POST", "/mpesa/check", {});
  assert.equal(found.ok, true, JSON.stringify(found));
  faultless(page);
  await page.close();
});
