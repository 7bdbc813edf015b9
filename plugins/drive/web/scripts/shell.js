/**
 * Writes the service worker: the files that the first page needs stand in it,
 * and a name that changes with them.
 */
import { createHash } from "node:crypto";
import { readFile, readdir, writeFile } from "node:fs/promises";
import { join } from "node:path";

const root = new URL("../", import.meta.url).pathname;
const dist = join(root, "dist");
const page = await readFile(join(dist, "index.html"), "utf8");
const assets = await readdir(join(dist, "assets"));
const styles = await Promise.all(assets.filter((name) => name.endsWith(".css")).map((name) => readFile(join(dist, "assets", name), "utf8")));

const ofPage = [...page.matchAll(/(?:src|href)="(\.\/[^"]+)"/g)].map(([, path]) => path);
// Of the fonts, the one that both languages are written in.
const fonts = assets.filter((name) => /latin-wght-normal.*\.woff2$/.test(name) && !name.includes("latin-ext") && styles.some((style) => style.includes(name)));
const files = [...new Set(["./", ...ofPage, ...fonts.map((name) => `./assets/${name}`)])];
const version = createHash("sha256").update(page).update(files.join()).digest("hex").slice(0, 16);
const worker = await readFile(join(root, "src/sw.js"), "utf8");
await writeFile(join(dist, "sw.js"), worker.replace("= SHELL;", `= ${JSON.stringify(files)};`).replace("${VERSION}", version));
