import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { after, before, test } from "node:test";
import { Browser, Server, accessible, act, code, entry, faultless, password, pictures, signIn, signOut, until } from "./harness.js";

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

const pixel = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==", "base64");

test("what is searched for is found as one types, with tags and texts", async () => {
  const user = await server.user("Akinyi");
  await user.upload("Reports/harvest.txt", "The maize harvest in Kitale was good this season.");
  await user.upload("budget.csv", "item,amount\nmaize,20");
  const page = await browser.page(server);
  await signIn(page, user);
  await act(page, "budget.csv", "Tags");
  await page.getByRole("dialog").getByLabel("New tag").fill("Money, farm");
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByRole("button", { name: "Remove the tag money" }).waitFor();
  await page.getByRole("dialog").getByRole("button", { name: "Remove the tag farm" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Remove the tag farm" }).waitFor({ state: "detached" });
  await page.keyboard.press("Escape");
  const [file] = (await user.call("GET", "/users/me/files?q=budget")).items;
  assert.deepEqual(file.tags, ["money"]);
  await until("the text to be read", async () => (await user.call("GET", "/files/search?q=kitale")).items.length === 1);

  await page.keyboard.press("/");
  await page.keyboard.type("kital");
  await entry(page, "harvest.txt").waitFor();
  await page.locator("mark", { hasText: "Kitale" }).waitFor();
  await pictures(page, "search");
  await page.getByRole("searchbox").fill("nothing has this name");
  await page.getByText("Nothing was found").waitFor();
  await page.getByRole("searchbox").fill("");
  await page.getByRole("heading", { name: "My files", level: 1 }).waitFor();
  await page.getByRole("button", { name: "money" }).click();
  await page.getByRole("heading", { name: "Tagged “money”" }).waitFor();
  await entry(page, "budget.csv").waitFor();
  await signOut(page);
  faultless(page);
  await page.close();
});

test("a file has versions, which are restored", async () => {
  const user = await server.user("Baraka");
  const made = await user.upload("plan.txt", "the first plan");
  const page = await browser.page(server);
  await signIn(page, user);
  await act(page, "plan.txt", "Versions");
  const dialog = page.getByRole("dialog");
  await dialog.locator("input[type=file]").setInputFiles({ name: "plan.txt", mimeType: "text/plain", buffer: Buffer.from("the second plan") });
  await dialog.getByText("Version 2").waitFor();
  await accessible(page, "versions");
  await pictures(page, "versions");
  await dialog.getByRole("button", { name: "Restore version 1" }).click();
  await page.getByText("Version 1 is the present one again").waitFor();
  await dialog.getByText("Version 3").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "plan.txt", exact: true }).click();
  await page.getByText("the first plan").waitFor();
  assert.equal((await user.call("GET", `/files/${made.id}`)).version, 3);
  await page.keyboard.press("Escape");
  await signOut(page);
  faultless(page);
  await page.close();
});

test("things are shared with people, who hear of it at once, and by links", async () => {
  const giver = await server.user("Chebet");
  const taker = await server.user("Daudi");
  await giver.upload("Trip/lake.png", pixel);
  await giver.upload("Trip/notes.txt", "bring water");
  const other = await browser.another();
  const theirs = await other.page(server);
  await signIn(theirs, taker);
  await theirs.getByRole("link", { name: "Notifications", exact: true }).waitFor();

  const page = await browser.page(server);
  await signIn(page, giver);
  await act(page, "Trip", "Share");
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Email address or handle").fill("nobody@example.com");
  await dialog.getByRole("button", { name: "Share", exact: true }).click();
  await dialog.getByRole("alert").waitFor();
  await dialog.getByLabel("Email address or handle").fill("daudi");
  await dialog.getByLabel("May").first().selectOption("editor");
  await dialog.getByRole("button", { name: "Share", exact: true }).click();
  await dialog.getByRole("list", { name: "People" }).getByText("Daudi").waitFor();

  // The other one hears of it without asking.
  await theirs.getByText("Chebet shared the folder Trip with you").waitFor();
  await theirs.getByRole("link", { name: "Notifications, 1 unread" }).click();
  await theirs.getByRole("button", { name: /Chebet shared/ }).waitFor();
  await pictures(theirs, "notifications");
  await theirs.getByRole("button", { name: /Chebet shared/ }).click();
  await theirs.getByRole("heading", { name: "Trip", level: 1 }).waitFor();
  await entry(theirs, "notes.txt").waitFor();
  await theirs.getByTestId("picker").setInputFiles({ name: "tickets.txt", mimeType: "text/plain", buffer: Buffer.from("two seats") });
  await entry(theirs, "tickets.txt").waitFor();
  await theirs.getByRole("link", { name: "Shared with me" }).first().click();
  await theirs.getByRole("button", { name: /^Trip/ }).waitFor();
  await pictures(theirs, "shared");
  await until("one unread less", async () => (await taker.call("GET", "/notifications")).unread === 0);

  // A notice of a file leads to the file, and so does the address.
  const letter = await giver.upload("letter.txt", "Dear Daudi");
  await giver.call("POST", `/files/${letter.id}/permissions`, { user: taker.id, role: "viewer" });
  await theirs.getByRole("link", { name: "Notifications, 1 unread" }).click();
  await theirs.getByRole("button", { name: /letter\.txt/ }).click();
  await theirs.getByText("Dear Daudi").waitFor();
  await theirs.reload();
  await theirs.getByText("Dear Daudi").waitFor();
  await theirs.keyboard.press("Escape");
  await theirs.getByText("Dear Daudi").waitFor({ state: "detached" });
  await entry(theirs, "letter.txt").waitFor();
  await theirs.getByRole("button", { name: /^letter\.txt/ }).click();
  await theirs.getByText("Dear Daudi").waitFor();
  await theirs.goBack();
  await theirs.getByText("Dear Daudi").waitFor({ state: "detached" });
  await theirs.getByRole("heading", { name: "Shared with me", level: 1 }).waitFor();
  // What is gone is told, and the list stays.
  await giver.call("DELETE", `/files/${letter.id}`);
  await theirs.reload();
  await theirs.getByRole("button", { name: /^Trip/ }).waitFor();
  await theirs.goForward();
  await theirs.getByRole("heading", { name: "Shared with me", level: 1 }).waitFor();
  await until("the address of the list", () => !theirs.url().includes("file="));

  await dialog.getByLabel("Password, if you want one").fill("simba");
  await dialog.getByLabel("At most this many downloads").fill("5");
  await dialog.getByRole("button", { name: "Make a link" }).click();
  const made = dialog.getByLabel("The link is ready.");
  await made.waitFor();
  await pictures(page, "share");
  const address = await made.inputValue();
  const folders = await giver.call("GET", "/folders");
  const links = await giver.call("GET", `/folders/${folders.items[0].id}/share`);
  assert.equal(links.items[0].max_downloads, 5);

  const guests = await browser.another();
  const guest = await guests.page(server);
  await guest.goto(address);
  await guest.getByRole("heading", { name: "This link has a password" }).waitFor();
  await pictures(guest, "link-locked");
  await guest.getByLabel("Password").fill("wrong");
  await guest.getByRole("button", { name: "Open" }).click();
  await guest.getByText("That is not the password of this link.").waitFor();
  await guest.getByLabel("Password").fill("simba");
  await guest.getByRole("button", { name: "Open" }).click();
  await guest.getByRole("heading", { name: "Trip" }).waitFor();
  await guest.getByText("notes.txt").waitFor();
  await pictures(guest, "link");
  const download = guest.waitForEvent("download");
  await guest.getByRole("button", { name: "Download notes.txt" }).click();
  assert.equal((await download).suggestedFilename(), "notes.txt");

  await dialog.getByRole("button", { name: /^End the link/ }).click();
  await dialog.getByRole("list", { name: "Links" }).getByRole("listitem").waitFor({ state: "detached" });
  await guest.reload();
  await guest.getByRole("heading", { name: "There is nothing behind this link" }).waitFor();
  faultless(guest);
  faultless(theirs);
  faultless(page);
  await guests.stop();
  await other.stop();
  await page.keyboard.press("Escape");
  await signOut(page);
  await page.close();
});

test("a second factor is set up, asked for, and stood in for", async () => {
  const user = await server.user("Esther");
  const page = await browser.page(server);
  await signIn(page, user);
  await page.goto(`${page.base}#/profile`);
  await page.getByTestId("avatar").setInputFiles({ name: "me.png", mimeType: "image/png", buffer: pixel });
  await page.getByRole("button", { name: "Remove the picture" }).waitFor();
  await page.getByLabel("A few words about you").fill("Farmer and teacher");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Saved").waitFor();
  const me = await user.call("GET", "/v1/auth/me");
  assert.equal(me.bio, "Farmer and teacher");
  assert(me.avatar);
  await pictures(page, "profile");

  await page.getByRole("button", { name: "Set up a second factor" }).click();
  const dialog = page.getByRole("dialog");
  const secret = await dialog.locator("code").textContent();
  await dialog.getByRole("img", { name: /QR/ }).waitFor();
  await pictures(page, "second-factor");
  await dialog.getByLabel("Code").fill("000000");
  await dialog.getByRole("button", { name: "Confirm" }).click();
  await dialog.getByRole("alert").waitFor();
  await dialog.getByLabel("Code").fill(code(secret));
  await dialog.getByRole("button", { name: "Confirm" }).click();
  const codes = dialog.getByRole("list", { name: "Recovery codes" });
  const recovery = await codes.getByRole("listitem").first().textContent();
  await page.getByRole("button", { name: "I have kept them" }).click();
  await page.getByText("A code from your phone is asked for when you sign in.").waitFor();
  await signOut(page);

  await page.getByLabel("Email").fill(user.email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Second step" }).waitFor();
  // The password is not what was asked for next.
  assert.equal(await page.getByLabel("Code").inputValue(), "");
  await pictures(page, "second-step");
  await page.getByLabel("Code").fill("123456");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("That code is wrong").waitFor();
  // The one of now was used when it was set up.
  await page.getByLabel("Code").fill(recovery);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("button", { name: "Account" }).waitFor();
  await signOut(page);
  faultless(page);
  await page.close();
});

test("a forgotten password is set anew by the link in a mail", async () => {
  const user = await server.user("Fatuma");
  const page = await browser.page(server);
  await page.goto(page.base);
  await page.getByRole("link", { name: "Forgotten password" }).click();
  await page.getByRole("heading", { name: "Forgotten password" }).waitFor();
  await page.getByLabel("Email").fill(user.email);
  await page.getByRole("button", { name: "Send the link" }).click();
  await page.getByRole("heading", { name: "Look into your mail" }).waitFor();
  const mail = await server.mail(user.email);
  const text = mail.replaceAll("=\r\n", "").replaceAll("=\n", "").replaceAll("=3D", "=");
  const address = /http:\/\/[^\s<>"]+confirm[^\s<>"]+/.exec(text)?.[0]?.replaceAll("&amp;", "&");
  assert(address, mail);
  await page.goto(address);
  await page.getByLabel("New password").fill("quite another phrase");
  await page.getByRole("button", { name: "Set the password" }).click();
  await page.getByText("Done").waitFor();
  await page.goto(page.base);
  await page.getByLabel("Email").fill(user.email);
  await page.getByLabel("Password").fill("quite another phrase");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "My files", level: 1 }).waitFor();
  await page.goto(`${page.base}#/profile`);
  await page.getByLabel("Present password").fill("quite another phrase");
  await page.getByLabel("New password").fill("yet another phrase");
  await page.getByRole("button", { name: "Change the password" }).click();
  await page.getByText("The password is changed").waitFor();
  await page.reload();
  await page.getByRole("heading", { name: "Profile", level: 1 }).waitFor();
  await signOut(page);
  faultless(page);
  await page.close();
});

test("a session that ends in the middle is begun again over what is there", async () => {
  const user = await server.user("Wanjiru");
  const page = await browser.page(server);
  await signIn(page, user);
  await page.goto(`${page.base}#/profile`);
  await page.getByLabel("Name", { exact: true }).fill("Wanjiru wa Kamau");
  await user.call("POST", "/v1/auth/logout?scope=global", {});
  // The live stream ends with the session, and the page learns of it.
  const over = page.getByRole("dialog", { name: "You have been signed out" });
  await over.waitFor();
  assert.equal(await over.getByLabel("Email").inputValue(), user.email);
  // There is no way past it, however often one asks.
  for (let press = 0; press < 5; press += 1) await page.keyboard.press("Escape");
  await over.getByLabel("Password").pressSequentially("x");
  for (let press = 0; press < 3; press += 1) await page.keyboard.press("Escape");
  assert.equal(await over.isVisible(), true);
  await accessible(page, "signed-out");
  await pictures(page, "signed-out");
  await over.getByLabel("Password").fill("not this one at all");
  await over.getByRole("button", { name: "Sign in" }).click();
  await over.getByRole("alert").waitFor();
  await over.getByLabel("Password").fill(password);
  await over.getByRole("button", { name: "Sign in" }).click();
  await over.waitFor({ state: "detached" });
  assert.equal(await page.getByLabel("Name", { exact: true }).inputValue(), "Wanjiru wa Kamau");
  await page.getByRole("button", { name: "Save" }).first().click();
  await until("the name", async () => (await server.call("GET", `/admin/v1/projects/demo/users/${user.id}`)).name === "Wanjiru wa Kamau");
  await signOut(page);
  faultless(page);
  await page.close();
});

test("whoever else signs in over it finds nothing of the one before", async () => {
  const before = await server.user("Otieno");
  const next = await server.user("Halima");
  await before.upload("his.txt", "his");
  const page = await browser.page(server);
  await signIn(page, before);
  await entry(page, "his.txt").waitFor();
  await page.getByRole("button", { name: "New", exact: true }).click();
  await page.getByRole("menuitem", { name: "New folder" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("Mine");
  await before.call("POST", "/v1/auth/logout?scope=global", {});
  const over = page.getByRole("dialog", { name: "You have been signed out" });
  await over.getByLabel("Email").fill(next.email);
  await over.getByLabel("Password").fill(password);
  await over.getByRole("button", { name: "Sign in" }).click();
  await over.waitFor({ state: "detached" });
  await page.getByRole("heading", { name: "My files", level: 1 }).waitFor();
  await page.getByText("Your drive is empty").waitFor();
  assert.equal(await page.getByRole("dialog").count(), 0);
  assert.equal((await next.call("GET", "/folders")).items.length, 0);
  await signOut(page);
  faultless(page);
  await page.close();
});
