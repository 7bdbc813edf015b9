/**
 * What a cron expression says, in words. The times themselves the server
 * reckons; what is not understood here is left to it.
 */

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const months = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"];

/** A part of a field, as `5`, `1-5` or `10-50/5`. */
interface Part {
  from: number | "*";
  to?: number;
  step?: number;
}

const pad = (value: number) => String(value).padStart(2, "0");
const joined = (items: string[]) => (items.length < 2 ? items.join("") : `${items.slice(0, -1).join(", ")} and ${items.at(-1)}`);
const ordinal = (value: number) => {
  const end = value % 100 > 10 && value % 100 < 14 ? "th" : (["th", "st", "nd", "rd"][value % 10] ?? "th");
  return `${value}${end}`;
};

function number(text: string, least: number, most: number, names: string[]): number | undefined {
  const named = names.findIndex((name) => name.slice(0, 3).toLowerCase() === text.slice(0, 3).toLowerCase());
  if (/^[a-z]+$/i.test(text)) return named < 0 ? undefined : named + (names === months ? 1 : 0);
  if (!/^\d{1,2}$/.test(text)) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

function parts(field: string, least: number, most: number, names: string[] = []): Part[] | undefined {
  const found: Part[] = [];
  for (const piece of field.split(",")) {
    const [range = "", stepText, ...more] = piece.split("/");
    if (more.length > 0) return undefined;
    const step = stepText === undefined ? undefined : /^[1-9]\d*$/.test(stepText) ? Number(stepText) : Number.NaN;
    if (Number.isNaN(step)) return undefined;
    const every = step === undefined || step === 1 ? {} : { step };
    if (range === "*" || range === "?") {
      found.push({ from: "*", ...every });
      continue;
    }
    const [first = "", last, ...rest] = range.split("-");
    const from = number(first, least, most, names);
    const to = last === undefined ? undefined : number(last, least, most, names);
    if (rest.length > 0 || from === undefined || (last !== undefined && to === undefined)) return undefined;
    found.push({ from, ...(to === undefined ? {} : { to }), ...every });
  }
  return found;
}

const isAny = (field: Part[]) => field.length === 1 && field[0]?.from === "*" && field[0].step === undefined;
/** The step of a star with one. */
const stepOf = (field: Part[]) => (field.length === 1 && field[0]?.from === "*" ? field[0].step : undefined);
/** The values of a field that is a list of single ones. */
const valuesOf = (field: Part[]) => {
  const values = field.map(({ from, to, step }) => (to === undefined && step === undefined && from !== "*" ? from : undefined));
  return values.every((value) => value !== undefined) ? values : undefined;
};

const listed = (field: Part[], name: (value: number) => string) =>
  joined(
    field.map(({ from, to, step }) => {
      const range = from === "*" ? "" : to === undefined ? name(from) : `${name(from)} to ${name(to)}`;
      if (step === undefined) return range || "all";
      return range ? `every ${ordinal(step)} from ${range}` : `every ${ordinal(step)}`;
    }),
  );

function time(second: Part[], minute: Part[], hour: Part[]): string {
  const seconds = valuesOf(second);
  const exact = seconds?.length === 1 ? seconds[0] : undefined;
  const tail = exact === 0 || exact === undefined ? "" : `, ${exact} seconds past`;
  const inHours = isAny(hour)
    ? ""
    : stepOf(hour)
      ? ` in every ${ordinal(stepOf(hour) ?? 1)} hour`
      : ` in the hours ${listed(hour, (value) => `${pad(value)}`)}`;
  if (exact === undefined) {
    const some = stepOf(second) ? `every ${stepOf(second)} seconds` : isAny(second) ? "every second" : `at the seconds ${listed(second, String)}`;
    return `${some}${isAny(minute) ? "" : ` of the minutes ${listed(minute, String)}`}${inHours}`;
  }
  const minutes = valuesOf(minute);
  const hours = valuesOf(hour);
  if (minutes && hours && minutes.length * hours.length <= 6) {
    const times = hours.flatMap((at) => minutes.map((past) => `${pad(at)}:${pad(past)}${exact ? `:${pad(exact)}` : ""}`));
    return `at ${joined(times)}`;
  }
  if (isAny(minute)) return `every minute${tail}${inHours}`;
  const step = stepOf(minute);
  if (step) return `every ${step} minutes${tail}${inHours}`;
  if (minutes?.length === 1 && minutes[0] === 0) {
    if (isAny(hour)) return `every hour, on the hour${tail}`;
    const hourStep = stepOf(hour);
    if (hourStep) return `every ${hourStep} hours, on the hour${tail}`;
    return `on the hour${tail},${inHours.replace(" in the hours", " from")}`.replace("from every", "in every");
  }
  return `at ${listed(minute, (value) => pad(value))} minutes past${tail}${isAny(hour) ? " every hour" : inHours.replace(" in", "")}`;
}

/** The same in words, without a full stop; nothing for what only the server may understand. */
export function cronInWords(expression: string): string | undefined {
  const fields = expression.trim().split(/\s+/);
  if (fields.length !== 5 && fields.length !== 6) return undefined;
  const [second, minute, hour, day, month, weekday] = fields.length === 5 ? ["0", ...fields] : fields;
  const all = {
    second: parts(second ?? "", 0, 59),
    minute: parts(minute ?? "", 0, 59),
    hour: parts(hour ?? "", 0, 23),
    day: parts(day ?? "", 1, 31),
    month: parts(month ?? "", 1, 12, months),
    weekday: parts(weekday ?? "", 0, 7, days),
  };
  if (!all.second || !all.minute || !all.hour || !all.day || !all.month || !all.weekday) return undefined;
  const said = [time(all.second, all.minute, all.hour)];
  const ofMonth = isAny(all.day) ? undefined : `on the ${listed(all.day, ordinal)} of the month`;
  const step = stepOf(all.weekday);
  const ofWeek = isAny(all.weekday) ? undefined : `${step ? "on " : "on "}${listed(all.weekday, (value) => days[value % 7] ?? String(value))}`;
  if (ofMonth && ofWeek) said.push(`${ofMonth} and ${ofWeek}, whichever comes`);
  else if (ofMonth ?? ofWeek) said.push(ofMonth ?? ofWeek ?? "");
  else if (valuesOf(all.hour) && valuesOf(all.minute) && valuesOf(all.second)) said.push("every day");
  if (!isAny(all.month)) said.push(`in ${listed(all.month, (value) => months[value - 1] ?? String(value))}`);
  const text = said.join(", ").replace(/,,+/g, ",");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Expressions that many begin with. */
export const beginnings: [string, string][] = [
  ["Every 5 minutes", "*/5 * * * *"],
  ["Every hour", "0 * * * *"],
  ["Every night", "0 2 * * *"],
  ["Weekdays at 9", "0 9 * * MON-FRI"],
  ["Mondays", "0 8 * * MON"],
  ["First of the month", "0 6 1 * *"],
];

/** The zone of this browser. */
export const localZone = (): string => Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";

/** All zones that the browser knows. */
export function zones(): string[] {
  const known = typeof Intl.supportedValuesOf === "function" ? Intl.supportedValuesOf("timeZone") : [];
  return [...new Set(["UTC", localZone(), ...known])];
}

/** A moment as clocks in a zone show it; in the browser's where there is no such zone. */
export function momentIn(text: string, zone: string | undefined): string {
  const options = { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" } as const;
  const at = new Date(text);
  const year = at.getFullYear() === new Date().getFullYear() ? {} : ({ year: "numeric" } as const);
  try {
    return new Intl.DateTimeFormat("en-GB", { ...options, ...year, ...(zone ? { timeZone: zone } : {}) }).format(at);
  } catch {
    return new Intl.DateTimeFormat("en-GB", { ...options, ...year }).format(at);
  }
}

/** What an entry of the list of allowed targets has to say for an address, and whether one does. */
export function targetOf(address: string, list: readonly string[]): { entry: string; allowed: boolean } | undefined {
  if (!URL.canParse(address)) return undefined;
  const { protocol, hostname, port } = new URL(address);
  if (!["http:", "https:"].includes(protocol) || hostname === "") return undefined;
  const plain = port === "" || port === "80" || port === "443";
  const own = port || (protocol === "https:" ? "443" : "80");
  const covers = (entry: string) => {
    if (entry.includes("://")) return URL.canParse(entry) && new URL(entry).host === new URL(address).host;
    const [, name = entry, only] = /^(.*?)(?::(\d+))?$/.exec(entry) ?? [];
    const wanted = name.replace(/\.+$/, "").toLowerCase();
    const named = wanted.startsWith("*.") ? hostname.endsWith(wanted.slice(1)) && hostname.length > wanted.length - 1 : hostname === wanted;
    return named && (only === undefined ? plain : only === own);
  };
  return { entry: plain ? hostname : `${hostname}:${port}`, allowed: list.some(covers) };
}
