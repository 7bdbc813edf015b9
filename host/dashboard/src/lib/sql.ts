/** The statements of a text, as places in it; strings and comments are not looked into. */
export function statements(text: string): { start: number; end: number }[] {
  const found: { start: number; end: number }[] = [];
  let start = 0;
  let place = 0;
  const skip = (until: string, from: number) => {
    const end = text.indexOf(until, from);
    return end < 0 ? text.length : end + until.length;
  };
  while (place < text.length) {
    const letter = text[place];
    if (letter === "'" || letter === '"') place = skip(letter, place + 1);
    else if (text.startsWith("--", place)) place = skip("\n", place);
    else if (text.startsWith("/*", place)) place = skip("*/", place + 2);
    else if (letter === "$") {
      const tag = /^\$[A-Za-z_]*\$/.exec(text.slice(place, place + 64))?.[0];
      place = tag ? skip(tag, place + tag.length) : place + 1;
    } else if (letter === ";") {
      found.push({ start, end: place });
      place += 1;
      start = place;
    } else place += 1;
  }
  found.push({ start, end: text.length });
  return found.filter(({ start, end }) => text.slice(start, end).trim() !== "");
}

/** The statement around a place in a text. */
export function statementAt(text: string, offset: number): string {
  const all = statements(text);
  const here = all.find(({ start, end }) => offset >= start && offset <= end + 1) ?? all.at(-1);
  return here ? text.slice(here.start, here.end).trim() : "";
}

/** A name in SQL, whatever is in it. */
export const quote = (name: string): string => `"${name.replaceAll('"', '""')}"`;
