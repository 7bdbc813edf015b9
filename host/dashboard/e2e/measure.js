/**
 * What the benches measure of the pages, in a browser: the script that the
 * first page loads, how soon it can be used, and how a table scrolls. Says it
 * as JSON.
 *
 *     node e2e/measure.js ADDRESS EMAIL PASSWORD PROJECT TABLE ROWS ROUNDS
 */
import { launch } from "../../../tests/browser/browser.js";

const [address, email, password, project, table, rows, rounds] = process.argv.slice(2);
const size = { width: 1360, height: 850 };
const patience = 300_000;
const browser = await launch();

const middle = (values) => values.toSorted((one, other) => one - other)[Math.floor(values.length / 2)];

/** Notes in the page when the list of projects can first be used: it is there, and nothing long is worked on. */
function note() {
  window.noted = undefined;
  let busy = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) busy = Math.max(busy, entry.startTime + entry.duration);
  }).observe({ type: "longtask", buffered: true });
  const look = () => {
    if (document.querySelector("tbody a[href*='/dashboard/projects/']")) {
      const there = performance.now();
      // A task that shows the list has ended when the next one begins.
      setTimeout(() => {
        window.noted = Math.max(there, busy);
      }, 0);
    } else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}

/** A first visit with a session: nothing is in the browser's cache. */
async function visit(state) {
  const context = await browser.newContext({ viewport: size, storageState: state });
  const page = await context.newPage();
  await page.addInitScript(note);
  await page.goto(`${address}/dashboard/`);
  await page.waitForFunction(() => window.noted !== undefined, undefined, { timeout: patience });
  const found = await page.evaluate(() => ({
    interactive: window.noted,
    scripts: performance
      .getEntriesByType("resource")
      .filter(({ name }) => new URL(name).pathname.endsWith(".js"))
      .map(({ name, encodedBodySize }) => ({ name, size: encodedBodySize })),
  }));
  await context.close();
  return found;
}

/** Scrolls what lies in the middle of the window, as a wheel does, and counts the beats that a page gets meanwhile. */
async function beats(page, distance, speed) {
  const session = await page.context().newCDPSession(page);
  await page.evaluate(() => {
    const times = [];
    window.beats = times;
    const tick = (time) => {
      times.push(time);
      if (window.beats === times) requestAnimationFrame(tick);
    };
    requestAnimationFrame(tick);
  });
  await session.send("Input.synthesizeScrollGesture", {
    x: size.width / 2 + 100,
    y: size.height / 2,
    yDistance: -distance,
    speed,
    gestureSourceType: "mouse",
    preventFling: true,
  });
  const times = await page.evaluate(() => {
    const found = window.beats;
    window.beats = undefined;
    return found;
  });
  await session.detach();
  const gaps = times.slice(1).map((time, place) => time - times[place]);
  const elapsed = gaps.reduce((sum, gap) => sum + gap, 0);
  return { rate: (gaps.length / elapsed) * 1_000, longest: Math.max(...gaps), dropped: gaps.filter((gap) => gap > 25).length, beats: gaps.length };
}

async function scrolls(state) {
  const context = await browser.newContext({ viewport: size, storageState: state });
  const page = await context.newPage();
  page.setDefaultTimeout(patience);
  await page.goto(`${address}/dashboard/projects/${project}/tables/${table}`);
  const grid = page.getByRole("grid", { name: table });
  await grid.waitFor();
  // All rows are brought, as by who scrolls to the end again and again.
  await grid.evaluate(
    (box, wanted) =>
      new Promise((done) => {
        const look = () => {
          if (Number(box.getAttribute("aria-rowcount")) > wanted) return done(undefined);
          box.scrollTop = box.scrollHeight;
          return setTimeout(look, 10);
        };
        look();
      }),
    Number(rows),
  );
  const inPage = await page.getByRole("row").count();
  const height = await grid.evaluate((box) => box.scrollHeight);
  const blank = await context.newPage();
  await blank.setContent(`<body style="margin:0"><div style="overflow:auto;height:100vh"><div style="height:${height}px"></div></div></body>`);
  const runs = { table: [], blank: [] };
  for (let round = 0; round < Number(rounds); round += 1) {
    await blank.bringToFront();
    await blank.evaluate(() => document.querySelector("div").scrollTo(0, 0));
    runs.blank.push(await beats(blank, 12_000, 3_000));
    await page.bringToFront();
    // From another place of the table each time.
    await grid.evaluate((box, part) => box.scrollTo(0, box.scrollHeight * part), round / (Number(rounds) + 1));
    runs.table.push(await beats(page, 12_000, 3_000));
  }
  await context.close();
  const of = (list, key) => middle(list.map((run) => run[key]));
  return {
    rows_in_page: inPage,
    table: { rate: of(runs.table, "rate"), dropped: of(runs.table, "dropped"), longest: of(runs.table, "longest"), beats: of(runs.table, "beats") },
    blank: { rate: of(runs.blank, "rate"), dropped: of(runs.blank, "dropped"), longest: of(runs.blank, "longest"), beats: of(runs.blank, "beats") },
  };
}

try {
  const first = await browser.newContext({ viewport: size });
  const page = await first.newPage();
  await page.goto(`${address}/dashboard/sign-in`);
  await page.getByLabel("Email").fill(email);
  await page.getByLabel("Password").fill(password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await page.getByRole("heading", { name: "Projects", level: 1 }).waitFor({ timeout: patience });
  const state = await first.storageState();
  await first.close();
  const visits = [];
  for (let round = 0; round < Number(rounds); round += 1) visits.push(await visit(state));
  const scripts = visits[0].scripts;
  console.log(
    JSON.stringify({
      script_bytes: scripts.reduce((sum, script) => sum + script.size, 0),
      scripts: scripts.length,
      has_editor: scripts.some(({ name }) => name.includes("monaco")),
      interactive_ms: middle(visits.map((one) => one.interactive)),
      ...(await scrolls(state)),
    }),
  );
} finally {
  await browser.close();
}
