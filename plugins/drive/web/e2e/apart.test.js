// What uploaded content cannot do, and what is there without other plugins.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, Server, entry, faultless, password, pictures, signIn, signOut, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
before(async () => {
  server = await Server.start(["files"]);
  browser = await Browser.start();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

/** Takes what it can reach, and writes it where a test reads it. */
const thief = `
  const found = {};
  const tell = () => { document.documentElement.setAttribute("data-found", JSON.stringify(found)); };
  found.ran = true;
  try { found.cookie = document.cookie; } catch (error) { found.cookie = "refused: " + error.name; }
  try { found.kept = Object.keys(localStorage).length; } catch (error) { found.kept = "refused: " + error.name; }
  tell();
  fetch("/p/demo/v1/auth/refresh", { method: "POST", credentials: "include", headers: { "content-type": "application/json" }, body: "{}" })
    .then((answer) => answer.text()).then((text) => { found.refresh = text; tell(); }, (error) => { found.refresh = "refused: " + error.name; tell(); });
`;

test("a script in uploaded content reaches neither tokens nor cookies", async () => {
  const user = await server.user("Gathoni");
  const markup = `<!doctype html><title>thief</title><p>hello</p><script>${thief}</script>`;
  const image = `<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40"><rect width="40" height="40" fill="red"/><script>${thief.replaceAll("&", "&amp;").replaceAll("<", "&lt;")}</script></svg>`;
  const html = await user.upload("thief.html", markup);
  const svg = await user.upload("thief.svg", image);
  await user.call("PATCH", `/files/${html.id}`, { visibility: "public" });
  await user.call("PATCH", `/files/${svg.id}`, { visibility: "public" });

  const page = await browser.page(server);
  await signIn(page, user);
  const cookies = await browser.context.cookies();
  const [session] = cookies.filter(({ name }) => name.endsWith("atlashub-session"));
  assert(session?.httpOnly);
  assert.equal(session.sameSite, "Strict");
  assert.equal(session.path, "/p/demo/v1/auth/refresh");
  // What scripts of the pages themselves could reach holds no token either.
  const reachable = await page.evaluate(() => JSON.stringify([document.cookie, { ...localStorage }, { ...sessionStorage }]));
  assert(!/ahr_|eyJ/.test(reachable), reachable);

  // Previews show markup as the text that it is.
  await page.getByRole("button", { name: "thief.html", exact: true }).click();
  await page.getByText("<title>thief</title>").waitFor();
  await page.keyboard.press("Escape");
  await page.getByRole("button", { name: "thief.svg", exact: true }).click();
  const shown = page.getByRole("dialog").getByRole("img", { name: "thief.svg" });
  await until("the picture", async () => shown.evaluate((node) => node.complete && node.naturalWidth > 0));
  assert.equal(await page.evaluate(() => document.documentElement.getAttribute("data-found")), null);
  await page.keyboard.press("Escape");

  // Opened by itself it is kept, or shown where it may do nothing.
  for (const { id } of [html, svg]) {
    for (const disposition of ["inline", "attachment"]) {
      const opened = await browser.context.newPage();
      const asked = [];
      opened.on("request", (request) => asked.push(request));
      const download = opened.waitForEvent("download").then(() => "downloaded");
      const went = opened.goto(`${server.pages}/p/demo/files/${id}/download?disposition=${disposition}`).then(
        () => "opened",
        (error) => (/Download is starting|ERR_ABORTED/.test(String(error)) ? download : Promise.reject(error)),
      );
      const how = await went;
      if (how === "opened") {
        const found = await opened.evaluate(() => document.documentElement.getAttribute("data-found"));
        assert.equal(found, null, `a script ran: ${found}`);
      }
      assert(!asked.some((request) => request.url().includes("/v1/auth/")));
      await opened.close();
      await download.catch(() => undefined);
    }
  }

  // Where a script may run, in a sandbox, it is a stranger; the policy of the
  // pages does not even let it.
  const element = await page.evaluateHandle(async (script) => {
    const node = document.createElement("iframe");
    node.setAttribute("sandbox", "allow-scripts");
    node.srcdoc = `<script>${script}</script>`;
    const loaded = new Promise((resolve) => {
      node.addEventListener("load", resolve, { once: true });
    });
    document.body.append(node);
    await loaded;
    return node;
  }, thief);
  const inside = await element.asElement().contentFrame();
  const found = () => inside.evaluate(() => JSON.parse(document.documentElement.getAttribute("data-found") ?? "{}"));
  if ((await found()).ran) {
    const { cookie, kept, refresh } = await until("what it was answered", async () => ((await found()).refresh === undefined ? undefined : found()));
    assert.match(cookie, /^refused: /);
    assert.match(kept, /^refused: /);
    assert(!/access_token/.test(refresh), refresh);
  }
  await element.evaluate((node) => node.remove());
  page.faults = page.faults.filter((fault) => !/Content Security Policy|sandbox|CORS/i.test(fault));
  await signOut(page);
  faultless(page);
  await page.close();
});

test("what belongs to plugins that are off is not offered", async () => {
  const user = await server.user("Hassan");
  await user.upload("letter.txt", "Dear friend");
  const page = await browser.page(server);
  await signIn(page, user);
  await entry(page, "letter.txt").waitFor();
  await page.getByRole("button", { name: "Actions for letter.txt" }).click();
  await page.getByRole("menuitem", { name: "Versions" }).waitFor();
  assert.equal(await page.getByRole("menuitem", { name: "Tags" }).count(), 0);
  await page.keyboard.press("Escape");
  assert.equal(await page.getByRole("link", { name: /Notifications/ }).count(), 0);
  assert.equal(await page.getByRole("link", { name: "Payments" }).count(), 0);
  // Names are searched without the plugin for it.
  await page.keyboard.press("/");
  await page.keyboard.type("lett");
  await page.getByRole("heading", { name: "Found for “lett”" }).waitFor();
  await entry(page, "letter.txt").waitFor();
  await signOut(page);
  faultless(page);
  await page.close();
});

test("the pages speak Swahili, and remember it", async () => {
  const user = await server.user("Imani");
  await user.upload("barua.txt", "Habari");
  const page = await browser.page(server);
  await page.goto(page.base);
  await page.getByLabel("Language").selectOption("sw");
  await page.getByRole("heading", { name: "Ingia" }).waitFor();
  await page.getByLabel("Barua pepe").fill(user.email);
  await page.getByLabel("Nenosiri").fill(password);
  await page.getByRole("button", { name: "Ingia" }).click();
  await page.getByRole("heading", { name: "Faili zangu", level: 1 }).waitFor();
  assert.equal(await page.evaluate(() => document.documentElement.lang), "sw");
  await page.reload();
  await page.getByRole("heading", { name: "Faili zangu", level: 1 }).waitFor();
  await pictures(page, "swahili");
  await page.getByRole("button", { name: "Akaunti" }).click();
  await page.getByRole("menuitem", { name: "Wasifu" }).click();
  await page.getByRole("combobox", { name: "Lugha" }).selectOption("en");
  await page.getByRole("heading", { name: "Profile", level: 1 }).waitFor();
  await signOut(page);
  faultless(page);
  await page.close();
});

test("the pages are installable, and open without a line", async () => {
  const page = await browser.page(server);
  await page.goto(page.base);
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  const manifest = await page.evaluate(async () => {
    const link = document.querySelector("link[rel=manifest]");
    return (await fetch(link.href)).json();
  });
  assert.equal(manifest.display, "standalone");
  await page.evaluate(async () => {
    await navigator.serviceWorker.ready;
  });
  const kept = await page.evaluate(async () => {
    const [name] = await caches.keys();
    const cache = await caches.open(name);
    return (await cache.keys()).map(({ url }) => new URL(url).pathname);
  });
  assert(kept.length > 3);
  assert(kept.every((path) => path.startsWith("/p/demo/drive/")), `${kept}`);
  await browser.context.setOffline(true);
  await page.reload();
  await page.getByText("The server cannot be reached.").waitFor();
  await browser.context.setOffline(false);
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("heading", { name: "Sign in" }).waitFor();
  await page.close();
});

test("a session goes on after the server was gone, and nothing that was typed is lost", async () => {
  const user = await server.user("Jabali");
  const page = await browser.page(server);
  await signIn(page, user);
  await page.keyboard.press("n");
  await page.getByRole("dialog").getByLabel("Name").fill("Typed before");
  await server.down();
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await page.getByRole("dialog").getByRole("alert").waitFor();
  assert.equal(await page.getByRole("dialog").getByLabel("Name").inputValue(), "Typed before");
  await server.up();
  await page.getByRole("button", { name: "Create", exact: true }).click();
  await entry(page, "Typed before").waitFor();
  assert.equal((await user.call("GET", "/folders")).items[0].name, "Typed before");
  await signOut(page);
  faultless(page);
  await page.close();
});
