import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, Server, faultless, owner, pictures, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
before(async () => {
  server = await Server.start();
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

test("the first visitor becomes the owner and sees a first call arrive", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/`);
  await page.getByRole("heading", { name: /who owns this platform/i }).waitFor();
  await pictures(page, "first-run");

  await page.getByLabel("Email").fill("not an address");
  await page.getByRole("button", { name: "Create the owner" }).click();
  await page.getByText("An address such as you@example.com is needed.").waitFor();
  await page.getByLabel("Email").fill(owner.email);
  await page.getByLabel("Password", { exact: true }).fill(owner.password);
  await page.getByLabel("Password again").fill(owner.password);
  await page.getByRole("button", { name: "Create the owner" }).click();

  await page.getByRole("heading", { name: "Welcome to AtlasHub" }).waitFor();
  await page.getByLabel("Name").fill("Corner shop");
  await page.getByRole("button", { name: "Create project" }).click();
  const secret = await page.getByTestId("secret key").textContent();
  assert.match(secret ?? "", /^ahs_/);
  await pictures(page, "welcome-keys");
  await page.getByRole("button", { name: "I have kept them" }).click();
  await page.getByText("Waiting for the first call…").waitFor();

  const answer = await fetch(`${server.url}/p/corner-shop/v1/db/tables`, { headers: { "x-api-key": secret ?? "" } });
  assert.equal(answer.status, 200);
  await page.getByText("It arrived.").waitFor();
  await pictures(page, "welcome-arrived");
  await page.getByRole("link", { name: "Go to Corner shop" }).click();
  await page.getByRole("heading", { level: 1, name: "Corner shop" }).waitFor();
  faultless(page);

  // No script can read the session, and none is kept where one could.
  const seen = await page.evaluate(() => document.cookie + JSON.stringify({ ...localStorage, ...sessionStorage }));
  assert.doesNotMatch(seen, /aht_/);
  await page.close();
});

test("who has signed out is asked to sign in, and comes to where the link led", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects`);
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.goto(`${page.base}/projects/corner-shop/keys`);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await pictures(page, "sign-in");
  await page.getByLabel("Email").fill(owner.email);
  await page.getByLabel("Password").fill("a wrong password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("alert").waitFor();
  await page.getByLabel("Password").fill(owner.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Keys", level: 1 }).waitFor();
  await until("the address", async () => new URL(page.url()).pathname === "/dashboard/projects/corner-shop/keys");
  faultless(page);
  await page.close();
});
