// Payments of a user, beside the stand-in for Safaricom that the server brings along.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, test } from "node:test";
import { Browser, Server, faultless, freePort, pictures, signIn, signOut, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
let simulator;
before(async () => {
  const port = await freePort();
  simulator = spawn(process.env.ATLASHUB_BIN, ["daraja-sim", "--listen", `127.0.0.1:${port}`, "--seed", "7"], { stdio: "ignore" });
  simulator.url = `http://127.0.0.1:${port}`;
  await until("the stand-in", async () => (await fetch(`${simulator.url}/_sim/faults`)).ok);
  server = await Server.start(["files", "mpesa"], { ATLASHUB_EGRESS_ALLOW: `127.0.0.1:${port}` });
  await server.install("demo", "mpesa", {
    environment: "custom",
    base_url: simulator.url,
    consumer_key: "sim-key",
    consumer_secret: "sim-secret",
    shortcode: "174379",
    passkey: "sim-passkey",
    allowed_origins: ["127.0.0.1"],
  });
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
  simulator?.kill("SIGTERM");
});

async function faults(body) {
  const answer = await fetch(`${simulator.url}/_sim/faults`, { method: "PUT", headers: { "content-type": "application/json" }, body: JSON.stringify(body) });
  assert(answer.ok, await answer.text());
}

/** Lets go what was held back, when there is something. */
async function release() {
  await until("a callback", async () => {
    const answer = await fetch(`${simulator.url}/_sim/release`, { method: "POST" });
    return (await answer.json()).released > 0;
  });
}

async function pay(page, phone, amount, what) {
  await page.getByRole("button", { name: "Pay", exact: true }).click();
  const dialog = page.getByRole("dialog", { name: "Pay by M-Pesa" });
  await dialog.getByLabel("Phone number").fill(phone);
  await dialog.getByLabel("Amount in shillings").fill(amount);
  await dialog.getByLabel("What for").fill(what);
  return dialog;
}

const payment = (page, what) => page.getByRole("list", { name: "Payments" }).getByRole("listitem").filter({ hasText: what });

test("somebody pays, and sees it arrive without asking", async () => {
  const user = await server.user("Kamau");
  const page = await browser.page(server);
  await signIn(page, user);
  await page.getByRole("link", { name: "Payments" }).first().click();
  await page.getByText("No payments yet").waitFor();
  await pictures(page, "payments-none");

  await faults({ callback_held: true });
  const dialog = await pay(page, "0712 345 678", "1250", "Maize");
  await pictures(page, "pay");
  await dialog.getByRole("button", { name: "Send to the phone" }).click();
  await dialog.waitFor({ state: "detached" });
  await payment(page, "Maize").getByText("Waiting", { exact: true }).waitFor();
  const [asked] = (await user.call("GET", "/mpesa/transactions")).items;
  assert.deepEqual([asked.status, asked.phone_number, Number(asked.amount)], ["pending", "254712345678", 1250]);
  await release();
  await payment(page, "Maize").getByText("Paid", { exact: true }).waitFor();
  const [paid] = (await user.call("GET", "/mpesa/transactions")).items;
  assert.equal(paid.status, "succeeded");
  await payment(page, paid.receipt_number).waitFor();

  await faults({ outcome: "1032" });
  const another = await pay(page, "0712000002", "80", "Beans");
  await another.getByRole("button", { name: "Send to the phone" }).click();
  await payment(page, "Beans").getByText("Cancelled", { exact: true }).waitFor();
  await faults({});
  await pictures(page, "payments");
  await signOut(page);
  faultless(page);
  await page.close();
});

test("what cannot be paid is said in the form, and what was typed stays", async () => {
  const user = await server.user("Lemayan");
  const page = await browser.page(server);
  await signIn(page, user);
  await page.goto(`${page.base}#/payments`);
  await page.getByText("No payments yet").waitFor();
  const dialog = await pay(page, "12", "50", "Tea");
  await dialog.getByRole("button", { name: "Send to the phone" }).click();
  await dialog.getByText("A Kenyan mobile number is needed").waitFor();
  await pictures(page, "pay-refused");
  assert.equal(await dialog.getByLabel("What for").inputValue(), "Tea");
  await dialog.getByLabel("Phone number").fill("0712000003");
  await dialog.getByRole("button", { name: "Send to the phone" }).click();
  await payment(page, "Tea").getByText("Paid", { exact: true }).waitFor();
  // Nobody sees what another has paid.
  assert.equal((await user.call("GET", "/mpesa/transactions")).items.length, 1);
  await signOut(page);
  faultless(page);
  await page.close();
});

test("an admin has payments left out of the pages", async () => {
  const user = await server.user("Makena");
  const page = await browser.page(server);
  await signIn(page, user);
  await page.getByRole("link", { name: "Payments" }).first().waitFor();
  if (!server.built) {
    await server.install("demo", "drive", { payments: false });
    await page.reload();
    await page.getByRole("heading", { name: "My files", level: 1 }).waitFor();
    await until("the link to go", async () => (await page.getByRole("link", { name: "Payments" }).count()) === 0);
  }
  await signOut(page);
  faultless(page);
  await page.close();
});
