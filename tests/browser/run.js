/**
 * Runs the tests in the files of a folder, two files at a time:
 *
 *     node run.js FOLDER [WORD…]
 *
 * Of words, those that begin the name of a file choose files; others, tests by
 * their names. Where a file or two fail, they are run once more, alone; what
 * passes then is called unsteady at the end.
 */
import { readdir, stat } from "node:fs/promises";
import { availableParallelism } from "node:os";
import { basename, join, resolve } from "node:path";
import { run } from "node:test";
import { spec } from "node:test/reporters";

/** How many files are run once more. More of them did not fail by chance. */
const mostAgain = 2;

const [folder = ".", ...words] = process.argv.slice(2);
const all = (await readdir(folder)).filter((name) => name.endsWith(".test.js"));
const chosen = all.filter((name) => words.some((word) => name.startsWith(word)));
const patterns = words.filter((word) => !all.some((name) => name.startsWith(word)));
const names = chosen.length > 0 ? chosen : all;
const sized = await Promise.all(names.map(async (name) => ({ path: resolve(join(folder, name)), size: (await stat(join(folder, name))).size })));

/** Runs files, and answers those of which a test failed; without a name where it is not known which. */
async function failing(files, concurrency) {
  const failed = new Set();
  const tests = run({
    files,
    concurrency,
    ...(patterns.length > 0 ? { testNamePatterns: patterns } : {}),
    timeout: 1_200_000,
  }).on("test:fail", ({ file }) => failed.add(file));
  for await (const text of tests.compose(new spec())) process.stdout.write(text);
  return [...failed];
}

// The long ones first: none of them is to be waited for alone in the end.
const files = sized.toSorted((one, other) => other.size - one.size).map(({ path }) => path);
const failed = await failing(files, Number(process.env.ATLASHUB_TEST_FILES ?? Math.max(2, Math.floor(availableParallelism() / 2))));
const named = failed.every((file) => files.includes(file));
if (failed.length > 0 && named && failed.length <= mostAgain) {
  console.log(`\n==> once more: ${failed.map((file) => basename(file)).join(", ")}`);
  if ((await failing(failed, 1)).length > 0) process.exitCode = 1;
  else console.log(`unsteady: ${failed.map((file) => basename(file)).join(", ")}`);
} else if (failed.length > 0) process.exitCode = 1;
