/**
 * Runs the tests in the files of a folder, two files at a time:
 *
 *     node run.js FOLDER [WORD…]
 *
 * Of words, those that begin the name of a file choose files; others, tests by
 * their names.
 */
import { readdir, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";

const [folder = ".", ...words] = process.argv.slice(2);
const all = (await readdir(folder)).filter((name) => name.endsWith(".test.js"));
const chosen = all.filter((name) => words.some((word) => name.startsWith(word)));
const patterns = words.filter((word) => !all.some((name) => name.startsWith(word)));
const names = chosen.length > 0 ? chosen : all;
const sized = await Promise.all(names.map(async (name) => ({ path: resolve(join(folder, name)), size: (await stat(join(folder, name))).size })));
run({
  // The long ones first: none of them is to be waited for alone in the end.
  files: sized.toSorted((one, other) => other.size - one.size).map(({ path }) => path),
  concurrency: Number(process.env.ATLASHUB_TEST_FILES ?? Math.max(2, Math.floor(availableParallelism() / 2))),
  ...(patterns.length > 0 ? { testNamePatterns: patterns } : {}),
  timeout: 1_200_000,
})
  .on("test:fail", () => {
    process.exitCode = 1;
  })
  .compose(new spec())
  .pipe(process.stdout);
