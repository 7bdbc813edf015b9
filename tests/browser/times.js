/**
 * What the tests of a file spend their time on. `ATLASHUB_TEST_TIMES=1` says
 * it when the file ends: how often, how long by the clock, and how much of it
 * this process, its browser and its server worked.
 */
import { readFileSync, readdirSync } from "node:fs";

const wanted = Boolean(process.env.ATLASHUB_TEST_TIMES);
const kinds = new Map();

/** Milliseconds that this process and all that it has started have worked. */
function work() {
  const all = [];
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const text = readFileSync(`/proc/${name}/stat`, "utf8");
      const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
      const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
      all.push({ id: Number(name), parent: Number(fields[1]), spent: ticks * 10 });
    } catch {
      // It has ended meanwhile.
    }
  }
  const family = new Set([process.pid]);
  for (let before = 0; before !== family.size; ) {
    before = family.size;
    for (const { id, parent } of all) if (family.has(parent)) family.add(id);
  }
  return all.filter(({ id }) => family.has(id)).reduce((sum, { spent }) => sum + spent, 0);
}

/** Does something, and notes what it takes. */
export async function timed(kind, act) {
  if (!wanted) return act();
  const [start, before] = [performance.now(), work()];
  try {
    return await act();
  } finally {
    const found = kinds.get(kind) ?? { times: 0, clock: 0, work: 0 };
    kinds.set(kind, { times: found.times + 1, clock: found.clock + performance.now() - start, work: found.work + work() - before });
  }
}

if (wanted) {
  const start = performance.now();
  process.on("exit", () => {
    const file = process.argv[1]?.split("/").at(-1);
    const lines = [...kinds].map(([kind, { times, clock, work: spent }]) => `${file} ${kind.padEnd(12)} ${String(times).padStart(4)} times ${(clock / 1_000).toFixed(1).padStart(6)} s, worked ${(spent / 1_000).toFixed(1).padStart(6)} s`);
    process.stderr.write(`${[...lines, `${file} all               ${((performance.now() - start) / 1_000).toFixed(1).padStart(8)} s, worked ${(work() / 1_000).toFixed(1).padStart(6)} s`].join("\n")}\n`);
  });
}
