/** What two people changed of the same, put together. */

type Part = Record<string, unknown>;

const isPart = (value: unknown): value is Part => typeof value === "object" && value !== null && !Array.isArray(value);
const same = (one: unknown, other: unknown) => JSON.stringify(one) === JSON.stringify(other);

/** The names of what is not the same in both. */
export function different(one: object, other: object): string[] {
  const names = new Set([...Object.keys(one), ...Object.keys(other)]);
  return [...names].filter((name) => !same((one as Part)[name], (other as Part)[name]));
}

/**
 * What was changed between `base` and `mine`, put over what is there now; and
 * the names of what somebody else has changed to something else meanwhile.
 */
export function merge<T extends object>(base: T, mine: T, theirs: T): { merged: T; clashes: string[] } {
  const merged: Part = { ...(theirs as Part) };
  const clashes: string[] = [];
  for (const name of new Set([...Object.keys(base), ...Object.keys(mine)])) {
    const [old, own, other] = [(base as Part)[name], (mine as Part)[name], (theirs as Part)[name]];
    if (same(old, own)) continue;
    if (isPart(old) && isPart(own) && isPart(other)) {
      const within = merge(old, own, other);
      merged[name] = within.merged;
      clashes.push(...within.clashes.map((inner) => `${name}.${inner}`));
      continue;
    }
    if (!same(old, other) && !same(own, other)) clashes.push(name);
    if (own === undefined) delete merged[name];
    else merged[name] = own;
  }
  return { merged: merged as T, clashes };
}

/** Puts what was changed here over what is there now; refuses, once, what somebody else has changed meanwhile. */
export function settle<T extends object>(base: { current: T }, mine: T, theirs: T): T {
  const { merged, clashes } = merge(base.current, mine, theirs);
  if (clashes.length === 0) return merged;
  base.current = theirs;
  const names = clashes.map((name) => `\`${name}\``).join(", ");
  throw new Error(`somebody else has changed ${names} meanwhile: save again to put yours in its place, or load the page anew to see theirs`);
}
