import type { LucideIcon } from "lucide-react";
import { Archive, FileAudio, FileCode, FileSpreadsheet, FileText, FileVideo, File as Plain, FileImage, Presentation } from "lucide-react";

export type Kind = "image" | "video" | "audio" | "pdf" | "text" | "other";

const texts = ["application/json", "application/xml", "application/javascript", "application/x-yaml", "application/toml", "application/sql"];

/** What can be done to show a file. Markup is shown as text, never run. */
export function kindOf(type: string): Kind {
  if (type.startsWith("image/")) return "image";
  if (type.startsWith("video/")) return "video";
  if (type.startsWith("audio/")) return "audio";
  if (type === "application/pdf") return "pdf";
  if (type.startsWith("text/") || texts.includes(type) || type.endsWith("+json") || type.endsWith("+xml")) return "text";
  return "other";
}

/** Images that the server makes small. */
export function hasThumbnail(type: string): boolean {
  return ["image/png", "image/jpeg", "image/webp", "image/gif"].includes(type);
}

const icons: [RegExp, LucideIcon, string][] = [
  [/^image\//, FileImage, "text-rose-600 dark:text-rose-400"],
  [/^video\//, FileVideo, "text-violet-600 dark:text-violet-400"],
  [/^audio\//, FileAudio, "text-fuchsia-700 dark:text-fuchsia-400"],
  [/pdf$/, FileText, "text-red-600 dark:text-red-400"],
  [/(spreadsheet|excel|csv)/, FileSpreadsheet, "text-emerald-700 dark:text-emerald-400"],
  [/(presentation|powerpoint)/, Presentation, "text-orange-700 dark:text-orange-400"],
  [/(word|document|rtf)/, FileText, "text-sky-700 dark:text-sky-400"],
  [/(zip|tar|gzip|compressed|rar|7z)/, Archive, "text-amber-700 dark:text-amber-400"],
  [/(json|xml|html|javascript|css|yaml)/, FileCode, "text-teal-700 dark:text-teal-400"],
  [/^text\//, FileText, "text-slate-600 dark:text-slate-300"],
];

export function iconOf(type: string): { Icon: LucideIcon; colour: string } {
  const [, Icon, colour] = icons.find(([pattern]) => pattern.test(type)) ?? [undefined, Plain, "text-slate-600 dark:text-slate-300"];
  return { Icon, colour };
}
