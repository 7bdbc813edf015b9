import type { ReactNode } from "react";

/** Text in which the server put `<mark>` around what was found; all else is text. */
export function Marked({ text }: { text: string }) {
  const parts = text.split(/<mark>([\s\S]*?)<\/mark>/);
  // Parts may be equal, and never move.
  // oxlint-disable-next-line react/no-array-index-key
  return <>{parts.map((part, place): ReactNode => (place % 2 === 1 ? <mark key={place}>{unescaped(part)}</mark> : unescaped(part)))}</>;
}

const named: Record<string, string> = { "&lt;": "<", "&gt;": ">", "&amp;": "&", "&quot;": '"', "&#39;": "'", "&#x27;": "'" };

/** What the server escaped is shown as it was; React escapes it again. */
function unescaped(text: string): string {
  return text.replace(/&(?:lt|gt|amp|quot|#39|#x27);/g, (entity) => named[entity] ?? entity);
}
