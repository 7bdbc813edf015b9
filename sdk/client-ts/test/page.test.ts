import assert from "node:assert/strict";
import { test } from "node:test";
import { connectPage, type PageWindow, type Theme } from "../src/page.js";

/** A page's window, with a dashboard around it that hands out numbered tokens. */
function around(answers: (bearer: string | null, address: string) => number) {
  const said: unknown[] = [];
  const heard: ((event: { source: unknown; data: unknown }) => void)[] = [];
  let tokens = 0;
  const tell = (source: unknown, data: unknown) => {
    for (const listener of heard) listener({ source, data });
  };
  const parent = {
    postMessage(message: unknown, origin: string) {
      said.push([message, origin]);
      const asked = (message as { atlashub: string }).atlashub;
      const kind = asked === "ready" ? "hello" : "token";
      const told = { atlashub: kind, token: `t${++tokens}`, project: "shop", plugin: "notes", theme: "light" };
      queueMicrotask(() => tell(parent, told));
    },
  };
  const window: PageWindow = {
    parent,
    addEventListener: (_type, listener) => void heard.push(listener),
    fetch: async (input, init) => {
      const bearer = new Headers(init?.headers).get("authorization");
      return new Response("", { status: answers(bearer, String(input)) });
    },
  };
  return { window, said, tell, parent };
}

test("a page says that it is ready and calls its plugin with the token", async () => {
  const { window, said } = around((bearer, address) => (bearer === "Bearer t1" && address === "api" ? 200 : 500));
  const page = await connectPage(window);
  assert.deepEqual(said, [[{ atlashub: "ready" }, "*"]]);
  assert.equal(page.project, "shop");
  assert.equal(page.plugin, "notes");
  assert.equal((await page.fetch("api")).status, 200);
});

test("a token that has ended is replaced once", async () => {
  const { window, said } = around((bearer) => (bearer === "Bearer t2" ? 200 : 401));
  const page = await connectPage(window);
  assert.equal((await page.fetch("api")).status, 200);
  assert.deepEqual(said.at(-1), [{ atlashub: "renew" }, "*"]);
  const never = around(() => 401);
  const other = await connectPage(never.window);
  assert.equal((await other.fetch("api")).status, 401);
  assert.equal(never.said.length, 2);
});

test("the theme is told, and only the window around is believed", async () => {
  const { window, tell, parent } = around(() => 200);
  const page = await connectPage(window);
  const seen: Theme[] = [];
  page.onTheme((theme) => seen.push(theme));
  tell({}, { atlashub: "theme", theme: "dark" });
  tell(parent, { atlashub: "theme", theme: "dark" });
  tell(parent, null);
  assert.deepEqual(seen, ["light", "dark"]);
  assert.equal(page.theme, "dark");
});
