/**
 * What pages look like, in dark and light, on a desktop and a phone: pictures
 * of them, kept as the tests' output; that nothing is wider than the window;
 * and what axe finds to be serious.
 *
 * `ATLASHUB_TEST_PICTURES=png` keeps them without loss, `=none` leaves all of
 * this out, for whoever works on the pages.
 */
import assert from "node:assert/strict";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { desktop, phone } from "./browser.js";
import { timed } from "./times.js";

const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const kind = process.env.ATLASHUB_TEST_PICTURES ?? "jpeg";

/** What axe finds to be serious; `more` says what it looks at besides the rules. */
export async function accessible(page, name, { exclude = [] } = {}) {
  const violations = await timed("axe", async () => {
    for (const frame of page.frames()) {
      // What a browser shows by means of its own is none of the pages.
      if (frame !== page.mainFrame() && !/^(https?:|about:srcdoc)/.test(frame.url())) continue;
      if (!(await frame.evaluate(() => "axe" in window))) await frame.evaluate(`${axe}; axe.configure({ allowedOrigins: ["<unsafe_all_origins>"] })`);
    }
    return page.evaluate(async (left) => {
      const found = await window.axe.run(
        { exclude: left },
        {
          runOnly: { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] },
          resultTypes: ["violations"],
          // No rule of these reads style sheets.
          preload: { assets: ["media"] },
        },
      );
      return found.violations.map(({ id, help, impact, nodes }) => ({ id, help, impact, nodes: nodes.slice(0, 4).map(({ html, failureSummary }) => ({ html, failureSummary })) }));
    }, exclude);
  });
  const told = violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map(({ html, failureSummary }) => `    ${html.slice(0, 200)}\n      ${failureSummary?.replaceAll("\n", " ").slice(0, 300)}`).join("\n")}`);
  assert.deepEqual(told, [], `axe on ${name}:\n${told.join("\n")}`);
}

/**
 * How pictures of certain pages are taken: into the folder `output`, in the
 * colours that `theme` gives to a page, without the parts that `exclude`
 * names when axe looks at them; then they are in the `usual` colours again.
 * `docs` is where those go that the docs show, and `shown` says which, and
 * what they are called there.
 */
export function album({ output, theme, usual, exclude = [], docs, shown = {} }) {
  return async function pictures(page, name) {
    if (kind === "none") return;
    await mkdir(output, { recursive: true });
    await page.mouse.move(0, 0);
    for (const [colours, device, size] of [
      ["dark", "desktop", desktop],
      ["dark", "phone", phone],
      ["light", "phone", phone],
      ["light", "desktop", desktop],
    ]) {
      await timed("resizing", async () => {
        await theme(page, colours);
        await page.setViewportSize(size);
      });
      await timed("pictures", () => page.screenshot({ path: join(output, `${name}-${colours}-${device}.${kind === "png" ? "png" : "jpg"}`), ...(kind === "png" ? {} : { type: "jpeg", quality: 80 }) }));
      const wide = await page.evaluate(() => {
        const inside = [...document.querySelectorAll("main, dialog > div > div, [role=dialog] > div")].map((part) => part.scrollWidth - part.clientWidth);
        return Math.max(document.documentElement.scrollWidth - window.innerWidth, ...inside);
      });
      assert(wide <= 1, `${name} is ${wide} px wider than it may be on a ${device}`);
      // Both colours and both devices once; over all pages, each on each.
      const isDark = (device === "desktop") === (name.length % 2 === 0);
      if ((colours === "dark") === isDark) await accessible(page, `${name} (${colours}, ${device})`, { exclude });
      if (process.env.ATLASHUB_TEST_DOCS && docs && shown[name] && colours === "dark" && device === "desktop") {
        const bytes = await page.screenshot();
        assert(bytes.length <= 150 * 1_024, `the picture ${shown[name]} has ${bytes.length} bytes: too many for the docs`);
        await writeFile(join(docs, `${shown[name]}.png`), bytes);
      }
    }
    await theme(page, usual);
  };
}
