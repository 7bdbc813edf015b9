import { currentLanguage } from "@/i18n";

const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"] as const;

export function bytes(count: number): string {
  let value = count;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 100 ? 0 : 1;
  return new Intl.NumberFormat(currentLanguage(), {
    style: "unit",
    unit: units[unit] ?? "byte",
    unitDisplay: unit === 0 ? "long" : "short",
    maximumFractionDigits: digits,
  }).format(value);
}

/** A day and a time, short. */
export function when(text: string): string {
  const date = new Date(text);
  const today = new Date();
  const sameDay = date.toDateString() === today.toDateString();
  const sameYear = date.getFullYear() === today.getFullYear();
  return new Intl.DateTimeFormat(
    currentLanguage(),
    sameDay
      ? { hour: "2-digit", minute: "2-digit" }
      : { day: "numeric", month: "short", ...(sameYear ? {} : { year: "numeric" }) },
  ).format(date);
}

export function whole(text: string): string {
  return new Intl.DateTimeFormat(currentLanguage(), { dateStyle: "medium", timeStyle: "short" }).format(new Date(text));
}

export function percent(part: number): string {
  return new Intl.NumberFormat(currentLanguage(), { style: "percent", maximumFractionDigits: 0 }).format(part);
}

export function money(amount: number): string {
  return new Intl.NumberFormat(currentLanguage(), { style: "currency", currency: "KES", maximumFractionDigits: 0 }).format(amount);
}
