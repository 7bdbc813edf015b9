// Reads compose files as an engine would: each is checked against the schema of
// the Compose Specification, later ones are laid over earlier ones, variables are
// filled in. Prints what comes out as JSON.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const part = createRequire(join(process.env.ATLASHUB_TEST_COMPOSE, "package.json"));
const { Ajv } = part("ajv");
const { parseDocument } = part("yaml");

const modules = join(process.env.ATLASHUB_TEST_COMPOSE, "node_modules");
const schema = JSON.parse(readFileSync(join(modules, "dclint/schemas/compose.schema.json"), "utf8"));
const fits = new Ajv({ strict: false, validateSchema: false, validateFormats: false }).compile(schema);

/** Marks a list that stands in the place of an earlier file's. */
const reset = {
  tag: "!reset",
  collection: "seq",
  resolve: (list) => Object.assign(list, { reset: true }),
};

function read(file) {
  const text = readFileSync(file, "utf8");
  const document = parseDocument(text, { merge: true, customTags: [reset] });
  for (const problem of [...document.errors, ...document.warnings]) {
    throw new Error(`${file}: ${problem.message}`);
  }
  const found = document.toJS();
  if (!fits(found)) {
    throw new Error(`${file}: ${JSON.stringify(fits.errors, null, 2)}`);
  }
  return { found, document };
}

/** Where a file says `!reset`: paths of keys. */
function resets(node, path = []) {
  if (node?.reset) {
    return [path];
  }
  const pairs = node?.items?.filter((item) => item.key !== undefined) ?? [];
  return pairs.flatMap((pair) => resets(pair.value, [...path, String(pair.key)]));
}

const isMap = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

function over(below, above, replaced, path = []) {
  if (isMap(below) && isMap(above)) {
    const both = { ...below };
    for (const [key, value] of Object.entries(above)) {
      const here = [...path, key];
      const isReplaced = replaced.some((at) => at.join("\0") === here.join("\0"));
      both[key] = key in below && !isReplaced ? over(below[key], value, replaced, here) : value;
    }
    return both;
  }
  // Lists grow, but what runs is one.
  const runs = ["command", "entrypoint", "test"].includes(path.at(-1));
  return Array.isArray(below) && Array.isArray(above) && !runs ? [...below, ...above] : above;
}

function filled(text) {
  const variable = /\$\{([A-Z_0-9]+)(?::([-?])((?:[^{}]|\$\{[^{}]*\})*))?\}/g;
  return text.replace(variable, (_, name, kind, rest) => {
    const value = process.env[name];
    if (value) {
      return value;
    }
    if (kind === "?") {
      throw new Error(`${name} is not set: ${rest}`);
    }
    return filled(rest ?? "");
  });
}

const fill = (value) =>
  typeof value === "string"
    ? filled(value)
    : Array.isArray(value)
      ? value.map(fill)
      : isMap(value)
        ? Object.fromEntries(Object.entries(value).map(([key, each]) => [key, fill(each)]))
        : value;

let whole = {};
for (const file of process.argv.slice(2)) {
  const { found, document } = read(file);
  whole = over(whole, found, resets(document.contents));
}
console.log(JSON.stringify(fill(whole)));
