/** What the pages say, in English and Swahili. */
import { useSyncExternalStore } from "react";
import { keep, recall } from "@/lib/kept";
import en from "./en.json";
import sw from "./sw.json";

export type Language = "en" | "sw";
export type Key = keyof typeof en;
type Values = Record<string, string | number>;

const texts: Record<Language, Record<Key, string>> = { en, sw };
const languages = ["en", "sw"] as const;
const listeners = new Set<() => void>();

function byBrowser(): Language | undefined {
  return navigator.languages.map((tag) => tag.slice(0, 2)).find((tag): tag is Language => tag === "en" || tag === "sw");
}

let chosen = recall<Language | "">("language", ["en", "sw", ""], "");
let language: Language = chosen || byBrowser() || "en";
document.documentElement.lang = language;

function speak(wanted: Language): void {
  language = wanted;
  document.documentElement.lang = wanted;
  for (const listener of listeners) listener();
}

/** What the user chose, kept. */
export function choose(wanted: Language): void {
  chosen = wanted;
  keep("language", wanted);
  speak(wanted);
}

/** What the project wants for those who neither chose nor say what they read. */
export function suggest(wanted: Language): void {
  if (!chosen && !byBrowser()) speak(wanted);
}

export function currentLanguage(): Language {
  return language;
}

export function allLanguages(): readonly Language[] {
  return languages;
}

/** The text, with `{name}` filled in. */
export function t(key: Key, values?: Values): string {
  const text = texts[language][key];
  return values ? text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole)) : text;
}

type Counted = { [K in Key]: K extends `${infer Stem}_other` ? Stem : never }[Key];

/** The text for a number of things. */
export function tn(stem: Counted, count: number, values?: Values): string {
  const form = new Intl.PluralRules(language).select(count) === "one" ? "one" : "other";
  return t(`${stem}_${form}` as Key, { count: new Intl.NumberFormat(language).format(count), ...values });
}

/** Makes a component speak the language that is chosen. */
export function useLanguage(): Language {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => language,
  );
}
