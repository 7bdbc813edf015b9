/** Signs of browsers, the more particular first: most of them also say that they are another. */
const programs: [RegExp, string][] = [
  [/edg(e|a|ios)?\//i, "Edge"],
  [/opr\//i, "Opera"],
  [/firefox\/|fxios\//i, "Firefox"],
  [/chrom(e|ium)\/|crios\//i, "Chrome"],
  [/safari\//i, "Safari"],
];
const systems: [RegExp, string][] = [
  [/android/i, "Android"],
  [/iphone|ipad/i, "iOS"],
  [/windows/i, "Windows"],
  [/mac os/i, "macOS"],
  [/linux/i, "Linux"],
];

/** What a client said it is (`User-Agent`), in a word or two. */
export function deviceIn(agent: string | null): string | undefined {
  if (!agent) return undefined;
  const told = [programs, systems].map((signs) => signs.find(([sign]) => sign.test(agent))?.[1]).filter(Boolean);
  return told.length > 0 ? told.join(", ") : agent;
}
