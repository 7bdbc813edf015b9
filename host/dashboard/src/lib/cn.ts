import { type ClassValue, clsx } from "clsx";
import { twMerge } from "tailwind-merge";

/** Class names, the last of those that contradict each other winning. */
export function cn(...names: ClassValue[]): string {
  return twMerge(clsx(names));
}
