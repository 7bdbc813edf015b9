import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Browser, Server, act, desktop, drop, entry, faultless, password, paste, phone, pictures, signIn, signOut, touched, until } from "./harness.js";

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

test("somebody signs up, is still there after a reload, signs out and in again", async () => {
  const page = await browser.page(server);
  await page.goto(page.base);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await pictures(page, "sign-in");
  await page.getByRole("link", { name: "Create an account" }).click();
  await page.getByRole("heading", { name: "Create an account" }).waitFor();
  await pictures(page, "sign-up");
  await page.getByLabel("Name").fill("Amina Otieno");
  await page.getByLabel("Email").fill("amina@example.com");
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Create an account" }).click();
  await page.getByRole("heading", { name: "My files", level: 1 }).waitFor();
  await page.getByText("Your drive is empty").waitFor();
  await pictures(page, "empty");
  await page.reload();
  await page.getByText("Your drive is empty").waitFor();
  await signOut(page);
  await page.reload();
  await page.getByLabel("Email").fill("amina@example.com");
  await page.getByLabel("Password").fill("a wrong password");
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByText("The email address or the password is wrong.").waitFor();
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "My files", level: 1 }).waitFor();
  await signOut(page);
  faultless(page);
  await page.close();
});

test("files are uploaded, put into folders, renamed, moved, downloaded and thrown away", async () => {
  const user = await server.user("Wanjiru");
  const page = await browser.page(server);
  await signIn(page, user);

  await page.keyboard.press("n");
  await page.getByRole("dialog").getByLabel("Name").fill("Reports");
  // What was typed is not thrown away by one key.
  await page.keyboard.press("Escape");
  await page.getByText("Press Escape once more").waitFor();
  assert.equal(await page.getByRole("dialog").getByLabel("Name").inputValue(), "Reports");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("n");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  await page.keyboard.press("n");
  await page.getByRole("dialog").getByLabel("Name").fill("Reports");
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await entry(page, "Reports").waitFor();

  const notes = Buffer.from("The budget of Kisumu county\n");
  await page.getByTestId("picker").setInputFiles([
    { name: "notes.txt", mimeType: "text/plain", buffer: notes },
    { name: "<b>markup & more<i>.txt", mimeType: "text/plain", buffer: Buffer.from("a name made to break markup") },
  ]);
  await entry(page, "notes.txt").waitFor();
  await entry(page, "<b>markup & more<i>.txt").waitFor();
  await page.getByText("2 uploads are over").waitFor();
  await page.getByRole("region", { name: "Uploads" }).getByRole("button", { name: "Close" }).click();
  const listed = await user.call("GET", "/users/me/files");
  assert.deepEqual(listed.items.map(({ filename }) => filename).toSorted(), ["<b>markup & more<i>.txt", "notes.txt"]);

  await act(page, "notes.txt", "Rename");
  await page.getByRole("dialog").getByLabel("Name").fill("budget.txt");
  await page.getByRole("dialog").getByRole("button", { name: "Rename" }).click();
  await entry(page, "budget.txt").waitFor();
  await pictures(page, "files");

  await act(page, "budget.txt", "Move");
  await page.getByRole("dialog").getByRole("button", { name: "Reports" }).click();
  await page.getByRole("button", { name: "Move here" }).click();
  await page.getByText("Moved to Reports").waitFor();
  await entry(page, "budget.txt").waitFor({ state: "detached" });
  await page.getByRole("button", { name: "Reports", exact: true }).click();
  await page.getByRole("heading", { name: "Reports", level: 1 }).waitFor();
  await entry(page, "budget.txt").waitFor();
  const [moved] = (await user.call("GET", "/users/me/files?q=budget")).items;
  assert.equal(moved.path, "Reports/budget.txt");

  const download = page.waitForEvent("download");
  await act(page, "budget.txt", "Download");
  const got = await download;
  assert.equal(got.suggestedFilename(), "budget.txt");
  assert.deepEqual(await readFile((await got.path()) ?? ""), notes);

  await page.goBack();
  await page.getByRole("heading", { name: "My files", level: 1 }).waitFor();
  await act(page, "Reports", "Delete");
  await page.getByText("“Reports” is in the trash").waitFor();
  await page.getByRole("button", { name: "Undo" }).click();
  await entry(page, "Reports").waitFor();
  await act(page, "Reports", "Delete");
  await entry(page, "Reports").waitFor({ state: "detached" });
  await page.getByRole("link", { name: "Trash" }).first().click();
  await entry(page, "Reports").waitFor();
  await pictures(page, "trash");
  await act(page, "Reports", "Restore");
  await page.getByText("The trash is empty").waitFor();
  assert.equal((await user.call("GET", "/folders")).items.length, 1);

  await page.getByRole("link", { name: "My files" }).first().click();
  await act(page, "<b>markup & more<i>.txt", "Delete");
  await page.getByRole("link", { name: "Trash" }).first().click();
  await act(page, "<b>markup & more<i>.txt", "Delete forever");
  await page.getByRole("dialog").getByRole("button", { name: "Delete forever" }).click();
  await page.getByText("The trash is empty").waitFor();
  await until("the file to be gone", async () => (await user.call("GET", "/users/me/files?q=markup")).items.length === 0);
  await signOut(page);
  faultless(page);
  await page.close();
});

test("files are dropped and pasted where one is, and looked through", async () => {
  const user = await server.user("Wairimu");
  await user.upload("Pictures/first.txt", "the first of all");
  const page = await browser.page(server);
  await signIn(page, user);
  await page.getByRole("button", { name: "Pictures", exact: true }).click();
  await entry(page, "first.txt").waitFor();
  await drop(page, [{ name: "dropped.txt", type: "text/plain", bytes: "let go of" }, { name: "second & <b>.txt", type: "text/plain", bytes: "another" }], "Let go to upload here");
  await entry(page, "dropped.txt").waitFor();
  await entry(page, "second & <b>.txt").waitFor();
  await paste(page, [{ name: "pasted.txt", type: "text/plain", bytes: "out of nowhere" }]);
  await entry(page, "pasted.txt").waitFor();
  const kept = (await user.call("GET", "/users/me/files?sort=filename")).items.map(({ path }) => path);
  assert.deepEqual(kept, ["Pictures/dropped.txt", "Pictures/first.txt", "Pictures/pasted.txt", "Pictures/second & <b>.txt"]);
  // A preview goes on to the next by a key.
  await page.getByRole("button", { name: "dropped.txt", exact: true }).click();
  await page.getByText("let go of").waitFor();
  await page.keyboard.press("ArrowRight");
  await page.getByText("the first of all").waitFor();
  await page.keyboard.press("ArrowRight");
  await page.getByText("out of nowhere").waitFor();
  await page.keyboard.press("ArrowLeft");
  await page.getByText("the first of all").waitFor();
  await page.keyboard.press("Escape");
  await signOut(page);
  faultless(page);
  await page.close();
});

/** A film that is large enough for several parts. */
const film = Buffer.alloc(40 * 1024 * 1024, "mpesa");

/** Begins an upload of it, of which the line is held after the first part; and pauses it. */
async function pausedUpload(page) {
  const line = { held: 0, hold: true };
  await page.route("**/files/tus/**", async (route) => {
    if (route.request().method() === "PATCH" && line.hold && ++line.held > 1) return;
    await route.continue();
  });
  const path = join(await mkdtemp(join(tmpdir(), "drive-upload-")), "film.bin");
  await writeFile(path, film);
  await page.getByTestId("picker").setInputFiles(path);
  const uploads = page.getByRole("region", { name: "Uploads" });
  await until("the second part", () => line.held > 1);
  await uploads.getByRole("button", { name: "Pause the upload of film.bin" }).click();
  await uploads.getByText("Paused").waitFor();
  line.hold = false;
  const sent = [];
  page.on("request", (request) => {
    if (request.method() === "PATCH") sent.push(Number(request.headers()["upload-offset"]));
  });
  return { uploads, path, sent };
}

test("a paused upload goes on by its button where it was", async () => {
  const user = await server.user("Kiprop");
  const page = await browser.page(server);
  await signIn(page, user);
  const { uploads, sent } = await pausedUpload(page);
  await uploads.getByRole("button", { name: "Go on with the upload of film.bin" }).click();
  await entry(page, "film.bin").waitFor();
  await page.getByText("1 upload is over").waitFor();
  assert(sent[0] > 0, `the first part was sent again: ${sent}`);
  const [stored] = (await user.call("GET", "/users/me/files")).items;
  assert.equal(stored.size, film.length);
  await signOut(page);
  faultless(page);
  await page.close();
});

test("an upload is paused, survives a reload, and goes on where it was", async () => {
  const user = await server.user("Otieno");
  const page = await browser.page(server);
  await signIn(page, user);
  const { path, sent } = await pausedUpload(page);
  await pictures(page, "upload-paused");
  page.on("dialog", (dialog) => dialog.accept());
  await page.reload();
  await page.getByText("Your drive is empty").waitFor();
  await page.getByTestId("picker").setInputFiles(path);
  await entry(page, "film.bin").waitFor();
  assert(sent[0] > 0, `the first part was sent again: ${sent}`);
  const [stored] = (await user.call("GET", "/users/me/files")).items;
  assert.equal(stored.size, film.length);
  await signOut(page);
  faultless(page);
  await page.close();
});

test("everything is done by keys, and on a phone", async () => {
  const user = await server.user("Juma");
  for (const name of ["a.txt", "b.txt", "c.txt"]) await user.upload(name, `the text of ${name}`);
  const page = await browser.page(server);
  await signIn(page, user);
  await entry(page, "a.txt").waitFor();
  await page.getByRole("button", { name: "a.txt", exact: true }).focus();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Space");
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Space");
  await page.getByText("2 chosen").waitFor();
  await pictures(page, "chosen");
  await page.keyboard.press("Delete");
  await entry(page, "b.txt").waitFor({ state: "detached" });
  assert.equal((await user.call("GET", "/files/trash")).items.length, 2);
  await page.getByRole("button", { name: "a.txt", exact: true }).focus();
  await page.keyboard.press("F2");
  await page.getByRole("dialog").getByLabel("Name").waitFor();
  await page.keyboard.type("z");
  await page.keyboard.press("Enter");
  await entry(page, "z.txt").waitFor();
  await page.getByRole("button", { name: "z.txt", exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.getByText("the text of a.txt").waitFor();
  await page.keyboard.press("Escape");
  await page.getByText("the text of a.txt").waitFor({ state: "detached" });
  await page.keyboard.press("?");
  await page.getByRole("dialog", { name: "Keyboard shortcuts" }).waitFor();
  await page.keyboard.press("Escape");

  await page.setViewportSize(phone);
  await act(page, "z.txt", "Delete");
  await page.getByText("Your drive is empty").waitFor();
  await page.getByRole("button", { name: "New", exact: true }).click();
  await page.getByRole("menuitem", { name: "New folder" }).click();
  await page.getByRole("dialog").getByLabel("Name").fill("On the way");
  await page.keyboard.press("Enter");
  await entry(page, "On the way").waitFor();
  await page.setViewportSize(desktop);
  await signOut(page);
  faultless(page);
  await page.close();
});

test("a phone that is touched does it, too", async () => {
  const user = await server.user("Atieno");
  await user.upload("Farm/maize.txt", "the price of maize");
  const phones = await browser.another(touched);
  const page = await phones.page(server);
  await page.goto(page.base);
  await page.getByLabel("Email").fill(user.email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).tap();
  await page.getByRole("button", { name: /^Farm/ }).tap();
  await page.getByRole("button", { name: /^maize\.txt/ }).tap();
  await page.getByText("the price of maize").waitFor();
  await page.getByRole("button", { name: "Close" }).tap();
  await page.getByRole("button", { name: "Actions for maize.txt", exact: true }).tap();
  await page.getByRole("menuitem", { name: "Rename" }).tap();
  await page.getByRole("dialog").getByLabel("Name").fill("beans.txt");
  await page.getByRole("dialog").getByRole("button", { name: "Rename" }).tap();
  await entry(page, "beans.txt").getByRole("checkbox").tap();
  await page.getByRole("toolbar").getByRole("button", { name: "Delete" }).tap();
  await page.getByText("“beans.txt” is in the trash").waitFor();
  await page.getByRole("button", { name: "Undo" }).tap();
  await entry(page, "beans.txt").waitFor();
  await page.getByRole("navigation", { name: "Where you are" }).getByRole("link", { name: "My files" }).tap();
  await page.getByRole("heading", { name: "My files", level: 1 }).waitFor();
  await page.getByRole("button", { name: "New", exact: true }).tap();
  await page.getByRole("menuitem", { name: "New folder" }).tap();
  await page.getByRole("dialog").getByLabel("Name").fill("Market");
  await page.getByRole("dialog").getByRole("button", { name: "Create" }).tap();
  await entry(page, "Market").waitFor();
  await page.getByRole("link", { name: "Trash" }).last().tap();
  await page.getByText("The trash is empty").waitFor();
  const [stored] = (await user.call("GET", "/users/me/files")).items;
  assert.equal(stored.path, "Farm/beans.txt");
  faultless(page);
  await phones.stop();
});

test("a folder is seen to its end behind a link, and the trash is emptied to its end, however much is in them", async () => {
  const user = await server.user("Nekesa");
  const names = Array.from({ length: 230 }, (_, place) => `old ${place}.txt`);
  const inLanes = async (work) => Promise.all(Array.from({ length: 8 }, async (_, lane) => {
    for (const name of names.filter((_, place) => place % 8 === lane)) await work(name);
  }));
  const made = new Map();
  await inLanes(async (name) => made.set(name, await user.upload(`Old/${name}`, name)));
  const folders = await user.call("GET", "/folders");
  const { token } = await user.call("POST", `/folders/${folders.items[0].id}/share`, {});
  const guests = await browser.another();
  const guest = await guests.page(server);
  await guest.goto(`${guest.base}#/s/${token}`);
  const listed = guest.getByRole("list", { name: "Files and folders" }).getByRole("listitem");
  await until("all files", async () => {
    await guest.evaluate(() => window.scrollTo(0, document.body.scrollHeight));
    return (await listed.count()) === names.length;
  });
  faultless(guest);
  await guests.stop();
  await inLanes(async (name) => user.call("DELETE", `/files/${made.get(name).id}`));
  const page = await browser.page(server);
  await signIn(page, user);
  await page.getByRole("link", { name: "Trash" }).first().click();
  await page.getByRole("button", { name: "Empty the trash" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Delete forever" }).click();
  await page.getByText("230 things are gone").waitFor();
  await page.getByText("The trash is empty").waitFor();
  assert.equal((await user.call("GET", "/files/trash")).items.length, 0);
  await signOut(page);
  faultless(page);
  await page.close();
});
