import { useEffect, useState } from "react";

/** What this browser remembers under a key; nothing where it may not. */
export function recall<T>(key: string, otherwise: T): T {
  try {
    const text = localStorage.getItem(`atlashub.${key}`);
    return text === null ? otherwise : (JSON.parse(text) as T);
  } catch {
    return otherwise;
  }
}

export function remember(key: string, value: unknown): void {
  try {
    localStorage.setItem(`atlashub.${key}`, JSON.stringify(value));
  } catch {
    // Full or forbidden: it is forgotten with the page.
  }
}

/** A state that is there again after a reload. */
export function useRemembered<T>(key: string, otherwise: T) {
  const [value, setValue] = useState<T>(() => recall(key, otherwise));
  useEffect(() => remember(key, value), [key, value]);
  return [value, setValue] as const;
}
