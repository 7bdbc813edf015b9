import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, beforeEach, test } from "node:test";
import {
  AtlasHubError,
  browserStore,
  type Client,
  codeFrom,
  createClient,
  type Session,
} from "../src/index.js";

/** A server that answers as the test says; each request is noted. */
interface Seen {
  method: string;
  url: string;
  headers: IncomingMessage["headers"];
  body: string;
}
type Answer = { status?: number; headers?: Record<string, string>; json?: unknown };
let answer: (seen: Seen) => Answer | Promise<Answer>;
let seen: Seen[] = [];

const server: Server = createServer(async (request: IncomingMessage, response: ServerResponse) => {
  let body = "";
  for await (const chunk of request) body += chunk;
  const { method = "", url = "", headers } = request;
  const note = { method, url, headers, body };
  seen.push(note);
  const { status = 200, headers: sent = {}, json } = await answer(note);
  response.writeHead(status, { "content-type": "application/json", ...sent });
  response.end(json === undefined ? "" : JSON.stringify(json));
});
await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
after(() => server.close());
const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/p/shop/`;

let client: Client;
beforeEach(() => {
  seen = [];
  answer = () => ({ json: {} });
  client = createClient({ url, key: "ahp_key" });
});

function tokens(number: number, expires_in = 900): Answer {
  const json = {
    access_token: `access-${number}`,
    refresh_token: `refresh-${number}`,
    token_type: "bearer",
    expires_in,
  };
  return { json };
}

test("a statement becomes the query that the server reads", async () => {
  answer = () => ({ json: { rows: [{ id: 1 }], limit: 10, offset: 20, count: 31 } });
  const found = await client.db
    .from("todo lists")
    .select("id", "title")
    .eq("done", false)
    .in("id", [1, 2, 3])
    .ilike("title", "%a&b%")
    .order("id", "desc")
    .limit(10)
    .offset(20)
    .count();
  assert.deepEqual(found.rows, [{ id: 1 }]);
  assert.equal(found.count, 31);
  const sent = new URL(seen[0]!.url, url);
  assert.equal(sent.pathname, "/p/shop/v1/db/todo%20lists");
  assert.deepEqual(Object.fromEntries(sent.searchParams), {
    "eq.done": "false",
    "in.id": "1,2,3",
    "ilike.title": "%a&b%",
    select: "id,title",
    order: "id.desc",
    limit: "10",
    offset: "20",
    count: "exact",
  });
  assert.equal(seen[0]!.headers["x-api-key"], "ahp_key");
});

test("rows are written in the shape that the server reads", async () => {
  answer = () => ({ status: 201, json: { rows: [{ id: 1, title: "one" }] } });
  assert.deepEqual(await client.db.from("todos").insert({ title: "one" }), [
    { id: 1, title: "one" },
  ]);
  await client.db.from("todos").update({ done: true }).eq("id", 1);
  await client.db.from("todos").delete().eq("id", 1);
  assert.deepEqual(
    seen.map(({ method, url, body }) => [method, url, body && JSON.parse(body)]),
    [
      ["POST", "/p/shop/v1/db/todos", { rows: [{ title: "one" }] }],
      ["PATCH", "/p/shop/v1/db/todos?eq.id=1", { values: { done: true } }],
      ["DELETE", "/p/shop/v1/db/todos?eq.id=1", ""],
    ],
  );
});

test("filters that cannot be said are refused before anything is sent", () => {
  const table = client.db.from("todos");
  assert.throws(() => table.select().eq("owner", null), /not null/);
  assert.throws(() => table.select().in("title", ["a,b"]), /comma/);
  assert.deepEqual(seen, []);
});

test("maybeSingle tells one row from none and from many", async () => {
  let rows: unknown[] = [];
  answer = () => ({ json: { rows, limit: 2, offset: 0 } });
  const one = () => client.db.from("todos").select().eq("id", 1).maybeSingle();
  assert.equal(await one(), undefined);
  rows = [{ id: 1 }];
  assert.deepEqual(await one(), { id: 1 });
  rows = [{ id: 1 }, { id: 1 }];
  await assert.rejects(one, { code: "many_rows" });
});

test("a problem document becomes an error with its code", async () => {
  answer = () => ({
    status: 413,
    headers: { "content-type": "application/problem+json", "retry-after": "7" },
    json: { status: 413, code: "over_quota", detail: "too much", request_id: "r-1", limit_bytes: 5 },
  });
  const error = await client.call("/files", { method: "POST" }).catch((error) => error);
  assert.ok(error instanceof AtlasHubError);
  assert.deepEqual(
    [error.status, error.code, error.message, error.requestId, error.retryAfter],
    [413, "over_quota", "too much", "r-1", 7],
  );
  assert.equal(error.problem["limit_bytes"], 5);
});

test("no answer is an error of its own", async () => {
  const nowhere = createClient({ url: "http://127.0.0.1:1", key: "ahp_key" });
  await assert.rejects(nowhere.call("/hello"), { status: 0, code: "no_answer" });
});

test("a full server is asked again for reads, not for writes", async () => {
  const full: Answer = { status: 503, headers: { "retry-after": "0" }, json: { code: "saturated" } };
  answer = () => (seen.length < 2 ? full : { json: "there" });
  assert.equal(await client.call("/hello"), "there");
  assert.equal(seen.length, 2);
  seen = [];
  answer = () => full;
  await assert.rejects(client.call("/hello", { method: "POST" }), { code: "saturated" });
  assert.equal(seen.length, 1);
});

test("a signed-in caller's token goes along, renewed shortly before it ends", async () => {
  answer = ({ url }) => (url.endsWith("/login") ? tokens(1, 20) : tokens(2));
  await client.auth.signIn({ email: "a@example.com", password: "pass phrase" });
  await client.call("/hello");
  assert.deepEqual(
    seen.map(({ url, headers }) => [url, headers.authorization]),
    [
      ["/p/shop/v1/auth/login", undefined],
      ["/p/shop/v1/auth/refresh", undefined],
      ["/p/shop/hello", "Bearer access-2"],
    ],
  );
  assert.deepEqual(JSON.parse(seen[1]!.body), { refresh_token: "refresh-1" });
});

test("signing up signs in, unless the address has to be verified first", async () => {
  const user = { id: "u-1", email: "a@example.com" };
  const account = { email: "a@example.com", password: "pass phrase" };
  answer = () => ({ status: 201, json: { user, verification_required: true } });
  assert.deepEqual(await client.auth.signUp(account), { user, session: undefined });
  assert.equal(await client.auth.session(), undefined);
  answer = () => ({ status: 201, json: { user, ...(tokens(1).json as object) } });
  const { session } = await client.auth.signUp(account);
  assert.equal(session?.access_token, "access-1");
  assert.deepEqual(await client.auth.session(), session);
});

test("thirty calls with a refused token renew it once", async () => {
  let refreshed = 0;
  answer = ({ url, headers }) => {
    if (url.endsWith("/login")) return tokens(1);
    if (url.endsWith("/refresh")) return tokens(1 + ++refreshed);
    return headers.authorization === "Bearer access-2" ? { json: "in" } : { status: 401, json: {} };
  };
  await client.auth.signIn({ email: "a@example.com", password: "pass phrase" });
  const calls = Array.from({ length: 30 }, () => client.call("/hello"));
  assert.deepEqual(new Set(await Promise.all(calls)), new Set(["in"]));
  assert.equal(refreshed, 1);
});

test("a refused refresh ends the session, no answer does not", async () => {
  const events: string[] = [];
  client.auth.onChange((event) => events.push(event));
  let status = 500;
  answer = ({ url }) => {
    if (url.endsWith("/login")) return tokens(1, 1);
    return url.endsWith("/refresh") ? { status, json: {} } : { json: "as nobody" };
  };
  await client.auth.signIn({ email: "a@example.com", password: "pass phrase" });
  await assert.rejects(client.call("/hello"), { status: 500 });
  assert.deepEqual(events, ["signed_in"]);
  status = 401;
  assert.equal(await client.call("/hello"), "as nobody");
  assert.deepEqual(events, ["signed_in", "signed_out"]);
});

test("signing out ends the session here even if the server has forgotten it", async () => {
  answer = ({ url }) => (url.endsWith("/login") ? tokens(1) : { status: 401, json: {} });
  await client.auth.signIn({ email: "a@example.com", password: "pass phrase" });
  await client.auth.signOut();
  assert.equal(await client.auth.session(), undefined);
});

test("a file's path may hold anything", async () => {
  await client.files.upload("Fotos/Zürich & Köln\r\n.jpg", new Uint8Array([1, 2]));
  assert.equal(seen[0]!.headers["file-path"], "Fotos/Z%C3%BCrich%20%26%20K%C3%B6ln%0D%0A.jpg");
  assert.equal(seen[0]!.method, "POST");
});

test("the browser's store keeps a session and forgets what is none", () => {
  const kept = new Map<string, string>();
  const storage = {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
    removeItem: (name: string) => void kept.delete(name),
  } as Storage;
  const store = browserStore("shop", storage);
  const session: Session = { access_token: "a", refresh_token: "r", expires_at: 1 };
  void store.save(session);
  assert.deepEqual(store.load(), session);
  for (const text of ["{", "null", '{"access_token":1}']) {
    kept.set("shop", text);
    assert.equal(store.load(), undefined);
  }
  void store.save(session);
  void store.save(undefined);
  assert.equal(kept.size, 0);
});

test("an address that is none, or has a query, is refused at once", () => {
  assert.throws(() => createClient({ url: "nowhere", key: "k" }));
  assert.throws(() => createClient({ url: "https://example.com/?a=1", key: "k" }), /query/);
});

test("an object goes where its link leads, without the key", async () => {
  answer = ({ method, url: path }) => {
    if (method === "PUT") return { status: 204 };
    return path.endsWith("/signed-upload")
      ? { json: { objectKey: "a/b", uploadUrl: `${url}_/blob/token`, expiresIn: 900 } }
      : { status: 500 };
  };
  await client.storage.from("docs").upload("a/b", "grün", { contentType: "text/plain" });
  assert.deepEqual(JSON.parse(seen[0]!.body), {
    bucket: "docs",
    path: "a/b",
    contentType: "text/plain",
    maxSize: 5,
  });
  assert.equal(seen[1]!.url, "/p/shop/_/blob/token");
  assert.equal(seen[1]!.body, "grün");
  assert.equal(seen[1]!.headers["content-type"], "text/plain");
  assert.equal(seen[1]!.headers["x-api-key"], undefined);
  assert.equal(seen[1]!.headers["authorization"], undefined);
  assert.equal(
    client.storage.from("docs").publicUrl("a b/ü?.txt"),
    `${url}v1/storage/public/docs/a%20b/%C3%BC%3F.txt`,
  );
});

test("what a link answers is an error like any other", async () => {
  answer = ({ method }) =>
    method === "PUT"
      ? { status: 413, json: { code: "object_too_large", detail: "too much" } }
      : { json: { uploadUrl: `${url}_/blob/token` } };
  const sent = client.storage.from("docs").upload("a", new Uint8Array([1]));
  await assert.rejects(sent, { status: 413, code: "object_too_large", message: "too much" });
});

test("a sign-in with a provider is ended by whoever began it", async () => {
  const { url: address, verifier } = await client.auth.startOAuth("google", "https://app.example.com/x?y=1");
  const query = new URL(address).searchParams;
  assert.equal(new URL(address).pathname, "/p/shop/v1/auth/oauth/google");
  assert.equal(query.get("redirect_to"), "https://app.example.com/x?y=1");
  assert.match(verifier, /^[\w-]{43}$/);
  const digest = createHash("sha256").update(verifier).digest("base64url");
  assert.equal(query.get("code_challenge"), digest);
  const again = await client.auth.startOAuth("google");
  assert.notEqual(again.verifier, verifier);
  assert.equal(new URL(again.url).searchParams.has("redirect_to"), false);

  answer = () => tokens(1);
  const code = codeFrom("https://app.example.com/x?y=1&code=abc");
  await client.auth.finishOAuth({ code, verifier });
  const body = JSON.parse(seen[0]?.body ?? "");
  assert.deepEqual(body, { code: "abc", code_verifier: verifier });
  assert.equal((await client.auth.session())?.access_token, "access-1");
  assert.throws(
    () => codeFrom("https://app.example.com/?error=access_denied&error_code=sign_up_closed"),
    (error: AtlasHubError) => error.code === "sign_up_closed",
  );
  assert.throws(() => codeFrom("https://app.example.com/"), { code: "no_code" });
});

test("another password goes on with the session that it answers", async () => {
  answer = () => tokens(1);
  await client.auth.signInWithMagicLink("aho_1", "123456");
  assert.deepEqual(JSON.parse(seen[0]?.body ?? ""), { token: "aho_1", totp_code: "123456" });
  answer = () => tokens(2);
  await client.auth.changePassword("old", "new");
  assert.equal(seen[1]?.headers.authorization, "Bearer access-1");
  assert.equal((await client.auth.session())?.refresh_token, "refresh-2");
  answer = () => ({ status: 204 });
  await client.auth.signOut({ scope: "local" });
  assert.equal(seen[2]?.url, "/p/shop/v1/auth/logout?scope=local");
});
