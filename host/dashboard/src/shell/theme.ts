import { useSyncExternalStore } from "react";
import { recall, remember } from "@/lib/storage";

export type Theme = "dark" | "light";

let theme: Theme = recall<string>("theme", "dark") === "light" ? "light" : "dark";
const listeners = new Set<() => void>();

function apply(): void {
  document.documentElement.classList.toggle("dark", theme === "dark");
}
apply();

export function toggleTheme(): void {
  theme = theme === "dark" ? "light" : "dark";
  remember("theme", theme);
  apply();
  for (const listener of listeners) listener();
}

// Another tab has switched.
window.addEventListener("storage", (event) => {
  if (event.key !== "atlashub.theme") return;
  theme = recall<string>("theme", "dark") === "light" ? "light" : "dark";
  apply();
  for (const listener of listeners) listener();
});

export function useTheme(): Theme {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => theme,
  );
}
