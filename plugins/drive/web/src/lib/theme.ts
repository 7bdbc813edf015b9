import { keep, recall } from "./kept";

export type Theme = "system" | "dark" | "light";

const dark = window.matchMedia("(prefers-color-scheme: dark)");
let theme: Theme = recall("theme", ["system", "dark", "light"], "system");

function apply(): void {
  document.documentElement.classList.toggle("dark", theme === "dark" || (theme === "system" && dark.matches));
}
apply();
dark.addEventListener("change", apply);

export function currentTheme(): Theme {
  return theme;
}

export function setTheme(wanted: Theme): void {
  theme = wanted;
  keep("theme", wanted);
  apply();
}
