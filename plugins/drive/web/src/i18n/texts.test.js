// Nothing that the pages say is missing in a language.
import assert from "node:assert/strict";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

const here = new URL(".", import.meta.url).pathname;
const read = async (name) => JSON.parse(await readFile(join(here, name), "utf8"));
const en = await read("en.json");
const sw = await read("sw.json");
const blanks = (text) => [...text.matchAll(/\{(\w+)\}/g)].map(([, name]) => name).toSorted();

test("both languages say the same things, in order of their names", () => {
  assert.deepEqual(Object.keys(sw), Object.keys(en));
  assert.deepEqual(Object.keys(en), Object.keys(en).toSorted());
});

test("a translation has the blanks of the original, and is none of it", () => {
  for (const [key, text] of Object.entries(sw)) {
    assert(text.trim(), key);
    // Of one thing a name may be said where the other language counts.
    if (!key.endsWith("_one")) assert.deepEqual(blanks(text), blanks(en[key]), key);
    assert.notEqual(text, en[key], `${key} is not translated`);
  }
});

test("what the pages say is there, and what is there is said", async () => {
  const root = join(here, "..");
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  const sources = entries.filter((entry) => entry.isFile() && /\.tsx?$/.test(entry.name));
  const texts = await Promise.all(sources.map((entry) => readFile(join(entry.parentPath, entry.name), "utf8")));
  const all = texts.join("\n");
  const asked = [...all.matchAll(/\bt\(\s*"(\w+)"/g)].map(([, key]) => key);
  const counted = [...all.matchAll(/\btn\(\s*"(\w+)"/g)].flatMap(([, stem]) => [`${stem}_one`, `${stem}_other`]);
  for (const key of [...asked, ...counted]) assert(key in en, `\`${key}\` is said nowhere`);
  const said = (key) => all.includes(`"${key}"`) || counted.includes(key) || key.startsWith("theme_");
  assert.deepEqual(Object.keys(en).filter((key) => !said(key)), []);
});
