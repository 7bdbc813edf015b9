import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Browser, Server, code, drop, faultless, owner, pictures, signIn, until } from "./harness.js";

/** @type {Server} */
let server;
/** @type {Browser} */
let browser;
let secret;
before(async () => {
  server = await Server.start({ ATLASHUB_SERIES_SECONDS: "1" });
  browser = await Browser.start();
  await server.setUp();
  const made = await server.project("Shop", "shop", ["db", "storage"]);
  secret = made.keys.secret;
  const page = await browser.page(server);
  await signIn(page);
  await page.close();
});
after(async () => {
  await browser?.stop();
  await server?.stop();
});

test("users are invited, found, given roles, shut out, and deleted", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/users`);
  await page.getByText("No users yet").waitFor();
  await page.getByRole("button", { name: "New user" }).first().click();
  await page.getByLabel("Email").fill("ada@example.com");
  await page.getByLabel("Name").fill("Ada <i>Lovelace</i>");
  await pictures(page, "user-new");
  await page.getByRole("button", { name: "Create user" }).click();
  await page.getByRole("heading", { name: "Ada <i>Lovelace</i>" }).waitFor();
  await pictures(page, "user");
  await page.getByLabel("viewer").click();
  await page.getByRole("button", { name: "Save" }).click();
  const ada = async () => (await server.call("GET", "/admin/v1/projects/shop/users?q=ada")).items[0];
  await until("the role", async () => (await ada()).roles.includes("viewer"));
  await page.getByRole("button", { name: "Shut out" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Shut out" }).click();
  await until("the end", async () => (await ada()).disabled_at);
  await page.getByRole("button", { name: "Let in again" }).waitFor();
  await page.getByRole("button", { name: "Close", exact: true }).click();
  for (let place = 0; place < 60; place += 1) {
    await server.call("POST", "/admin/v1/projects/shop/users", { email: `user${place}@example.com` });
  }
  await page.reload();
  await page.getByText("user3@example.com").waitFor();
  await pictures(page, "users");
  await page.getByRole("searchbox", { name: "Search users" }).fill("ada");
  await until("one row", async () => (await page.getByRole("row").count()) === 2);

  await page.getByRole("button", { name: /ada@example.com/ }).click();
  await page.getByRole("button", { name: "Delete…" }).click();
  await page.getByLabel(/to confirm/).fill("ada@example.com");
  await page.getByRole("button", { name: "Delete the user" }).click();
  await until("the deletion", async () => (await ada()) === undefined);
  faultless(page);
  await page.close();
});

test("where a user is signed in is seen, and ended", async () => {
  const password = "a phrase that nobody guesses";
  const user = await server.call("POST", "/admin/v1/projects/shop/users", { email: "grace@example.com", password, email_verified: true });
  const login = async (agent) => {
    const answer = await fetch(`${server.url}/p/shop/v1/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json", "user-agent": agent, "x-api-key": secret },
      body: JSON.stringify({ email: user.email, password }),
    });
    assert.equal(answer.status, 200, await answer.clone().text());
    return (await answer.json()).access_token;
  };
  await login("Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Mobile Safari/537.36");
  await login("Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0");
  const token = await login("curl/8.5.0");
  await server.send("POST", "/p/shop/v1/auth/app-passwords", { authorization: `Bearer ${token}` }, { name: "rclone" });
  const sessions = async () => (await server.call("GET", `/admin/v1/projects/shop/users/${user.id}/sessions`)).items;
  assert.equal((await sessions()).length, 3);
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/users?user=${user.id}`);
  await page.getByText("Chrome on Android").waitFor();
  await page.getByText("Firefox on Linux").waitFor();
  await page.getByText("Chrome on Android").scrollIntoViewIfNeeded();
  await pictures(page, "user-sessions");
  await page.getByRole("button", { name: "End the session Chrome on Android" }).click();
  await until("the end of one", async () => (await sessions()).length === 2);
  assert((await sessions()).every((one) => !one.user_agent.includes("Android")));
  await page.getByRole("button", { name: "Revoke rclone" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "Revoke it" }).click();
  await page.getByText("This user has made none.").waitFor();
  await page.getByRole("button", { name: "End all" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: "End all" }).click();
  await until("the end of all", async () => (await sessions()).length === 0);
  await page.getByText("This user is signed in nowhere.").waitFor();

  // Who has lost their phone gets in again.
  const again = await login("curl/8.5.0");
  const self = (path, body, expected) => server.send("POST", `/p/shop/v1/auth/totp/${path}`, { authorization: `Bearer ${again}` }, body, expected);
  const enrolled = await self("enroll", {});
  await self("verify", { code: code(enrolled.secret) }, 204);
  await page.reload();
  await page.getByRole("button", { name: "Reset the second factor" }).click();
  await page.getByRole("alertdialog").getByRole("button", { name: /Reset/ }).click();
  await page.getByText("no second factor").waitFor();
  await login("curl/8.5.0");
  faultless(page);
  await page.close();
});

test("an admin sets up a second factor, signs in by it, and switches it off", async () => {
  const page = await browser.page(server);
  const codeField = page.getByLabel(/^Code/);
  await page.goto(`${page.base}/account`);
  const card = page.locator("form").filter({ has: page.getByRole("button", { name: "Set it up" }) });
  await card.getByLabel("Your password").fill(owner.password);
  const [answer] = await Promise.all([
    page.waitForResponse((response) => response.url().endsWith("/admin/v1/session/totp")),
    card.getByRole("button", { name: "Set it up" }).click(),
  ]);
  const { recovery_codes: recovery } = await answer.json();
  await page.getByAltText("The secret as a QR code").waitFor();
  await page.getByText(recovery[0]).waitFor();
  await pictures(page, "account-totp");
  const shownSecret = ((await page.getByTestId("authenticator secret").textContent()) ?? "").trim();
  await codeField.fill("000000");
  await page.getByRole("button", { name: "Switch it on" }).click();
  await page.getByRole("alert").waitFor();
  await codeField.fill(code(shownSecret));
  await page.getByRole("button", { name: "Switch it on" }).click();
  await page.getByText("The second factor is on").waitFor();

  const other = await browser.another();
  const next = await other.page(server);
  await next.goto(`${next.base}/sign-in`);
  await next.getByLabel("Email").fill(owner.email);
  await next.getByLabel("Password").fill(owner.password);
  await next.getByRole("button", { name: "Sign in" }).click();
  const asked = next.getByLabel(/code/i);
  await asked.waitFor();
  // Each counts once: the one of now has set it up.
  await asked.fill(code(shownSecret, 1));
  await next.getByRole("button", { name: "Sign in" }).click();
  await next.getByRole("heading", { name: "Projects", level: 1 }).waitFor();
  faultless(next);
  await other.stop();

  await page.getByLabel("Your password").fill(owner.password);
  await codeField.fill(code(shownSecret, 1));
  await page.getByRole("button", { name: "Switch it off" }).click();
  await page.getByRole("alert").waitFor();
  await codeField.fill(recovery[0]);
  await page.getByRole("button", { name: "Switch it off" }).click();
  await page.getByText("The second factor is off").waitFor();
  await page.getByRole("button", { name: "Set it up" }).waitFor();
  faultless(page);
  await page.close();
});

test("roles, sign-in and mails are set", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/users?tab=roles`);
  await page.getByRole("button", { name: "New role" }).click();
  await page.getByLabel("Name").fill("keeper");
  await page.getByLabel(/Delete one's own objects/).click();
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("storage:delete").first().waitFor();
  await pictures(page, "roles");

  await page.getByRole("tab", { name: "Sign-in" }).click();
  await page.getByLabel("Who may sign up").selectOption("invite");
  await page.getByRole("button", { name: "Save" }).click();
  const auth = () => server.call("GET", "/admin/v1/projects/shop/auth");
  await until("the setting", async () => (await auth()).sign_up === "invite");
  await pictures(page, "sign-in-settings");

  // Somebody else who tells who users are, by the form for it.
  const provider = (status) => server.call("GET", "/admin/v1/projects/shop/auth/providers/work", undefined, status);
  await page.getByRole("button", { name: "Add", exact: true }).click();
  const form = page.getByRole("dialog", { name: "Add a provider" });
  await form.getByLabel("Kind").selectOption("oidc");
  await form.getByLabel("Name").fill("work");
  await form.getByLabel("Client id").fill("shop");
  await form.getByLabel("Client secret").fill("told to nobody");
  await form.getByLabel("Issuer").fill("https://accounts.example.com/?tenant=1");
  await form.getByRole("button", { name: "Save" }).click();
  await form.getByRole("alert").filter({ hasText: /without query/ }).waitFor();
  await form.getByLabel("Issuer").fill("https://accounts.example.com");
  await pictures(page, "provider");
  await form.getByRole("button", { name: "Save" }).click();
  await page.getByText("/v1/auth/oauth/work/callback").waitFor();
  const made = await provider();
  assert.deepEqual([made.kind, made.client_id, made.issuer, made.has_client_secret], ["oidc", "shop", "https://accounts.example.com", true]);
  assert(!JSON.stringify(made).includes("told to nobody"));
  await page.getByRole("button", { name: "Change", exact: true }).click();
  await page.getByRole("dialog").getByLabel("On", { exact: true }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Save" }).click();
  await until("it to be off", async () => !(await provider()).enabled);
  assert.equal((await provider()).has_client_secret, true);
  await page.getByRole("button", { name: "Remove work" }).click();
  await page.getByRole("button", { name: "Remove the provider" }).click();
  await page.getByText("None yet").waitFor();
  await provider(404);

  await page.getByRole("tab", { name: "Mails" }).click();
  await page.getByLabel("Mail", { exact: true }).selectOption("invite");
  await page.getByRole("button", { name: "Write your own" }).click();
  await page.getByLabel("Subject").fill("Come to {{project}}, {{name}}");
  await page.getByText("Come to shop, Ada Lovelace").waitFor();
  await pictures(page, "mails");
  await page.getByLabel("HTML", { exact: true }).fill("<h1>Hello</h1><script>document.title = 'bad'</script><a href='{{link}}'>Come</a>");
  await page.getByRole("button", { name: "Show the HTML" }).click();
  await page.frameLocator("iframe").getByRole("heading", { name: "Hello" }).waitFor();
  await page.getByRole("button", { name: "Save" }).click();
  await until("the mail", async () => (await auth()).mail_templates.invite?.subject === "Come to {{project}}, {{name}}");
  // The script of the previewed mail is refused, and browsers say so.
  page.faults = page.faults.filter((fault) => !/sandbox/.test(fault));
  faultless(page);
  await page.close();
});

/** A page of paper with a line on it. */
function pdf(line) {
  const text = `BT /F1 28 Tf 60 740 Td (${line}) Tj ET`;
  const parts = [
    "<< /Type /Catalog /Pages 2 0 R >>",
    "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
    "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
    `<< /Length ${text.length} >>\nstream\n${text}\nendstream`,
    "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
  ];
  let file = "%PDF-1.4\n";
  const places = parts.map((part, place) => {
    const at = file.length;
    file += `${place + 1} 0 obj\n${part}\nendobj\n`;
    return `${String(at).padStart(10, "0")} 00000 n \n`;
  });
  const table = file.length;
  return Buffer.from(`${file}xref\n0 ${parts.length + 1}\n0000000000 65535 f \n${places.join("")}trailer\n<< /Size ${parts.length + 1} /Root 1 0 R >>\nstartxref\n${table}\n%%EOF\n`);
}

test("a bucket is made, files go in by picking, are looked at, linked and deleted", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/storage`);
  await page.getByRole("button", { name: "New bucket" }).first().click();
  await page.getByLabel("Name").fill("pictures");
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByRole("button", { name: "pictures" }).first().click();
  const png = Buffer.from("iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAEklEQVR4nGNwLDqDBzGMSmNDAOEPmwEUN0qiAAAAAElFTkSuQmCC", "base64");
  await page.getByLabel("Files to upload").setInputFiles([
    { name: "square.png", mimeType: "image/png", buffer: png },
    { name: "notes & <more>.txt", mimeType: "text/plain", buffer: Buffer.from("A text to look at.\n") },
    { name: "paper.pdf", mimeType: "application/pdf", buffer: pdf("What is on paper") },
    ...["one", "two", "three"].map((name) => ({ name: `${name}.txt`, mimeType: "text/plain", buffer: Buffer.from(name) })),
  ]);
  await page.getByRole("button", { name: /square\.png/ }).waitFor();
  await page.getByRole("button", { name: /notes & <more>\.txt/ }).click();
  await page.getByText("A text to look at.").waitFor();
  await page.getByRole("button", { name: "Signed link", exact: true }).click();
  const link = (await page.getByTestId("signed link").textContent()) ?? "";
  assert.equal(await (await fetch(link)).text(), "A text to look at.\n");
  await page.getByLabel(/good for/).selectOption({ label: "a week" });
  const [asked] = await Promise.all([
    page.waitForResponse((response) => response.url().includes("expiresIn=604800")),
    page.getByRole("button", { name: "Signed link", exact: true }).click(),
  ]);
  assert.equal((await asked.json()).expiresIn, 604_800);
  await until("the other link", async () => (await page.getByTestId("signed link").textContent()) !== link);
  await pictures(page, "storage-preview");
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await page.getByRole("button", { name: /square\.png/ }).click();
  await until("the picture", () => page.locator("img[alt='square.png']").evaluate((image) => image.complete && image.naturalWidth > 0));
  await page.getByRole("button", { name: "Delete", exact: true }).click();
  await page.getByRole("button", { name: "Delete the object" }).click();
  const stored = async () => {
    const answer = await fetch(`${server.url}/v1/storage/list?bucket=pictures`, { headers: { "x-api-key": secret } });
    return (await answer.json()).items.map(({ objectKey }) => objectKey);
  };
  await until("the deletion", async () => !(await stored()).includes("square.png"));

  await page.getByRole("button", { name: /paper\.pdf/ }).click();
  const paper = page.locator("iframe[title='Preview of paper.pdf']");
  await paper.waitFor();
  assert.match((await paper.getAttribute("src")) ?? "", /^blob:/);
  await pictures(page, "storage-pdf");
  await page.getByRole("button", { name: "Close", exact: true }).click();

  for (const name of ["one", "two", "three"]) await page.getByRole("checkbox", { name: `Choose ${name}.txt` }).click();
  await page.getByRole("checkbox", { name: "Choose two.txt" }).click();
  await pictures(page, "storage-chosen");
  await page.getByRole("button", { name: "Delete 2", exact: true }).click();
  await page.getByRole("button", { name: "Delete 2 objects" }).click();
  await until("the deletion of two", async () => (await stored()).length === 3);
  assert.deepEqual((await stored()).toSorted(), ["notes & <more>.txt", "paper.pdf", "two.txt"]);
  await page.getByRole("button", { name: /one\.txt/ }).waitFor({ state: "detached" });
  await pictures(page, "storage");
  faultless(page);
  await page.close();
});

test("the rules of a bucket are set, and two who change them are told of each other", async () => {
  const rules = async () => (await server.plugin("shop", "GET", "/v1/storage/buckets")).items.find(({ name }) => name === "ruled");
  await server.plugin("shop", "POST", "/v1/storage/buckets", { name: "ruled" });
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/storage?bucket=ruled`);
  await page.getByText("Drop files here").waitFor();
  await drop(page, [{ name: "let go.txt", type: "text/plain", bytes: "a text" }], "Drop files here", "text=Drop files here");
  await page.getByRole("button", { name: /let go\.txt/ }).waitFor();
  await page.getByRole("button", { name: "Rules" }).click();
  await page.getByLabel("Whose uploads it takes").selectOption("users");
  await page.getByLabel("Largest object, MiB").fill("2.5");
  await page.getByLabel("Types").fill("image/*, application/pdf");
  await page.keyboard.press("Escape");
  await page.getByText("Escape once more closes this").waitFor();
  assert.equal(await page.getByLabel("Types").inputValue(), "image/*, application/pdf");
  await server.plugin("shop", "PATCH", "/v1/storage/buckets/ruled", { public: true });
  await page.getByRole("button", { name: "Save" }).click();
  await page.getByText("Somebody else changed this bucket while you were editing").waitFor();
  assert.equal((await rules()).uploads, "server");
  assert.equal(await page.getByLabel("Types").inputValue(), "image/*, application/pdf");
  await pictures(page, "storage-rules");
  await page.getByRole("button", { name: "Keep both" }).click();
  await page.getByRole("button", { name: "Save" }).click();
  await until("the rules", async () => (await rules()).maxObjectBytes === 2_621_440);
  await page.getByRole("button", { name: "Rules" }).click();
  await page.getByLabel("Types").fill("text/plain");
  await page.keyboard.press("Escape");
  await page.keyboard.press("Escape");
  await page.getByRole("dialog").waitFor({ state: "detached" });
  const { public: open, uploads, allowedTypes } = await rules();
  assert.deepEqual([open, uploads, allowedTypes], [true, "users", ["image/*", "application/pdf"]]);
  faultless(page);
  await page.close();
});

test("the queue, the logs and the audit are looked through", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/queue`);
  await page.getByRole("button", { name: /^dead/ }).waitFor();
  await pictures(page, "queue");
  await fetch(`${server.url}/p/shop/nothing-there?token=secret`, { headers: { "x-dev-admin-token": server.token } });
  await page.goto(`${page.base}/projects/shop/logs`);
  // As it comes, by how it ended, and in the address.
  await page.getByRole("button", { name: "/nothing-there", exact: true }).first().waitFor();
  await page.getByLabel("Answer").selectOption("4xx");
  await page.waitForURL(/status=4xx/);
  await page.getByRole("row").filter({ hasText: "/nothing-there" }).getByText("404").first().waitFor();
  await pictures(page, "logs-requests");
  await page.getByLabel("Answer").selectOption("5xx");
  await page.getByText("No request is like that").waitFor();
  await page.getByRole("tab", { name: "Live lines" }).click();
  await page.getByRole("button", { name: "Pause" }).waitFor();
  await page.getByText("live", { exact: true }).waitFor();
  await pictures(page, "logs-live");
  await page.getByRole("tab", { name: "Search lines" }).click();
  await page.getByLabel("Text", { exact: true }).waitFor();
  await page.getByRole("tab", { name: "Audit" }).click();
  await page.getByRole("button", { name: /^[a-z_]+\.[a-z_]+/ }).first().waitFor();
  // An admin is told by the address, and asked for by a click on it.
  await page.getByRole("button", { name: owner.email }).first().click();
  await page.waitForURL(/actor=/);
  await page.getByRole("button", { name: owner.email }).first().waitFor();
  await page.goBack();
  await pictures(page, "logs-audit");
  await page.goto(`${page.base}/audit?action=project.*`);
  await page.getByRole("button", { name: /^project\./ }).first().click();
  await page.getByRole("dialog").waitFor();
  await pictures(page, "audit");
  // A link to an entry shows it, also where it is not among those listed.
  const entry = new URL(page.url()).searchParams.get("entry")?.replaceAll('"', "");
  await page.goto(`${page.base}/audit?action=nothing.*&entry=${entry}`);
  await page.getByText(`Entry ${entry}`).waitFor();
  await page.getByRole("button", { name: "Close", exact: true }).click();
  await page.waitForURL((url) => !url.searchParams.has("entry"));
  faultless(page);
  await page.close();
});

test("operations are found, shown in three languages, and tried", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/projects/shop/api`);
  await page.getByLabel("Search operations").fill("storage/list");
  await page.getByRole("button", { name: /\/v1\/storage\/list/ }).click();
  await page.getByLabel("Key in the examples").fill("ahs_example");
  await page.getByLabel(/^bucket/).fill("pictures");
  await page.getByText("x-api-key: ahs_example").waitFor();
  await pictures(page, "api");
  await page.getByRole("tab", { name: "Python" }).click();
  await page.getByText("requests.request").waitFor();
  await page.getByRole("button", { name: "Send" }).click();
  await page.getByText("objectKey").first().waitFor();
  faultless(page);
  await page.close();
});

test("the overview, the settings and the platform's pages stand", async () => {
  const page = await browser.page(server);
  for (let place = 0; place < 5; place += 1) await fetch(`${server.url}/v1/db/tables`, { headers: { "x-api-key": secret } });
  await page.goto(`${page.base}/projects/shop`);
  await page.getByRole("heading", { name: "Recent events" }).waitFor();
  await page.getByRole("link", { name: "storage" }).first().waitFor();
  await page.getByRole("img", { name: /^Requests within the last 24 hours/ }).waitFor();
  await pictures(page, "overview");

  await page.goto(`${page.base}/projects/shop/settings`);
  await page.getByLabel("New domain").fill("shop.example.com");
  await page.getByRole("button", { name: "Add" }).click();
  await page.getByRole("button", { name: "Remove shop.example.com" }).waitFor();
  await page.getByLabel("Storage, MiB", { exact: true }).fill("512");
  await page.getByRole("button", { name: "Save" }).last().click();
  await until("the limit", async () => (await server.call("GET", "/admin/v1/projects/shop/usage")).storage.limit_bytes === 512 * 1_048_576);
  await pictures(page, "settings");

  await page.goto(`${page.base}/platform`);
  await page.getByText(/200, /).first().waitFor();
  await page.getByText("Off: admins sign in here").waitFor();
  await page.getByRole("checkbox", { name: "Only those that are set" }).check();
  await page.getByRole("cell", { name: /set, and told to nobody/ }).first().waitFor();
  assert.equal(await page.getByText(server.token).count(), 0);
  await page.getByLabel("Find a setting").fill("data_dir");
  await page.getByText("ATLASHUB_DATA_DIR").first().waitFor();
  await page.getByLabel("Find a setting").fill("");
  await page.getByRole("button", { name: "Send me a trial" }).click();
  await page.getByText(/lies in the data folder|The mail server took/).waitFor();
  await pictures(page, "platform");
  await page.goto(`${page.base}/plugins`);
  await page.getByRole("button", { name: "storage", exact: true }).waitFor();
  await pictures(page, "catalogue");
  await page.getByRole("button", { name: "storage", exact: true }).click();
  await page.waitForURL(/plugin=storage/);
  await page.reload();
  await page.getByRole("dialog").getByText("Imports and exports").waitFor();
  faultless(page);
  await page.close();
});

test("an admin is invited, comes in, and may only look", async () => {
  const page = await browser.page(server);
  await page.goto(`${page.base}/admins`);
  await page.getByRole("button", { name: "Invite" }).click();
  await page.getByLabel("Email").fill("viewer@example.com");
  await page.getByRole("dialog").getByLabel("Role").selectOption("viewer");
  await page.getByRole("dialog").getByRole("button", { name: "Invite" }).click();
  const link = (await page.getByTestId("invitation").textContent()) ?? "";
  await page.getByRole("button", { name: "Done" }).click();
  await pictures(page, "admins");
  await page.goto(`${page.base}/account`);
  await page.getByRole("heading", { name: "Second factor" }).waitFor();
  await pictures(page, "account");
  // A code that is wrong says so where it was typed, and ends no session.
  const factor = page.locator("form").filter({ has: page.getByRole("button", { name: "Set it up" }) });
  await factor.getByLabel("Your password").fill(owner.password);
  await factor.getByRole("button", { name: "Set it up" }).click();
  await page.getByLabel("Code that the authenticator shows").fill("000000");
  await page.getByRole("button", { name: "Switch it on" }).click();
  await page.getByRole("alert").filter({ hasText: /code/i }).waitFor();
  assert.equal(await page.getByText("Your session has ended").count(), 0);
  await page.getByRole("button", { name: "Not now" }).click();

  await browser.context.clearCookies();
  await page.goto(link.replace(/^.*\/dashboard/, page.base));
  await page.getByLabel("Password").fill("a viewer's own long password");
  await page.getByRole("button", { name: "Accept the invitation" }).click();
  await page.getByRole("heading", { name: "Projects", level: 1 }).waitFor();
  await page.goto(`${page.base}/projects?new=true`);
  await page.getByLabel("Name").fill("Not allowed");
  await page.getByRole("button", { name: "Create project" }).click();
  await page.getByText(/needs the role/).waitFor();
  await page.close();
});

test("a slow and a failing interface are told of, and tried again", async () => {
  const page = await browser.page(server);
  await browser.context.clearCookies();
  await signIn(page);
  let failing = true;
  await page.route("**/admin/v1/projects/shop/keys*", (route) =>
    failing
      ? route.fulfill({ status: 500, contentType: "application/problem+json", body: JSON.stringify({ status: 500, code: "internal", detail: "something broke", request_id: "0199" }) })
      : route.continue(),
  );
  await page.goto(`${page.base}/projects/shop/keys`);
  await page.getByText("This could not be shown").waitFor();
  await page.getByText("Something broke.").waitFor();
  await pictures(page, "failure");
  failing = false;
  await page.getByRole("button", { name: "Try again" }).click();
  await page.getByRole("cell", { name: "publishable" }).waitFor();

  let go = () => undefined;
  const held = new Promise((resolve) => {
    go = resolve;
  });
  await page.route("**/admin/v1/plugins?*", async (route) => {
    await held;
    await route.continue();
  });
  await page.goto(`${page.base}/plugins`);
  await page.locator("table[aria-busy=true]").waitFor();
  await pictures(page, "loading");
  go();
  await page.getByRole("button", { name: "storage", exact: true }).waitFor();
  await page.close();
});

test("the pages allow no script but their own, and no frame around them", async () => {
  if (server.built) return;
  const response = await fetch(`${server.url}/dashboard/projects/anything`);
  assert.equal(response.status, 200);
  const policy = response.headers.get("content-security-policy") ?? "";
  assert.match(policy, /default-src 'none'/);
  assert.match(policy, /script-src 'self';/);
  assert.match(policy, /frame-ancestors 'none'/);
  assert.equal(response.headers.get("x-frame-options"), "DENY");
  assert.equal(response.headers.get("x-content-type-options"), "nosniff");
  assert.equal(response.headers.get("cache-control"), "no-cache");
  const script = /src="(\/dashboard\/assets\/[^"]+\.js)"/.exec(await response.text())?.[1];
  const asset = await fetch(server.url + script, { headers: { "accept-encoding": "br" } });
  assert.match(asset.headers.get("cache-control") ?? "", /immutable/);
  assert.equal(asset.headers.get("content-encoding"), "br");
  assert.equal((await fetch(`${server.url}/dashboard/assets/none.js`)).status, 404);
  const known = await fetch(server.url + script, { headers: { "if-none-match": asset.headers.get("etag") ?? "", "accept-encoding": "br" } });
  assert.equal(known.status, 304);
});

