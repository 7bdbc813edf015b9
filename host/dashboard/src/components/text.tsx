import { Check, Copy } from "lucide-react";
import { useEffect, useState } from "react";
import { toast } from "sonner";
import { ago, moment } from "@/lib/format";
import { cn } from "@/lib/cn";
import { Button } from "./ui/button";
import { Popover, PopoverContent, PopoverTrigger } from "./ui/popover";
import { Tip } from "./ui/tooltip";

export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Without a secure address browsers keep the clipboard to themselves.
    toast.error("The browser does not let this page copy. Mark the text and copy it by hand.");
    return false;
  }
}

export function CopyButton({ text, label = "Copy", className, wide }: { text: string; label?: string; className?: string; wide?: boolean }) {
  const [done, setDone] = useState(false);
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(false), 1_500);
    return () => clearTimeout(timer);
  }, [done]);
  return (
    <Button
      variant={wide ? "outline" : "ghost"}
      size={wide ? "sm" : "icon-sm"}
      className={className}
      aria-label={label}
      onClick={async (event) => {
        event.stopPropagation();
        setDone(await copy(text));
      }}
    >
      {done ? <Check className="text-good" aria-hidden /> : <Copy aria-hidden />}
      {wide && (done ? "Copied" : label)}
    </Button>
  );
}

/** A text that is cut where it is too long; whole, with a way to copy it, on a click. */
export function Cut({ text, mono, className }: { text: string; mono?: boolean; className?: string }) {
  return (
    <Popover>
      <PopoverTrigger asChild>
        <button
          type="button"
          title={text.slice(0, 500)}
          className={cn(
            "block max-w-72 cursor-pointer truncate rounded-sm text-left decoration-dotted underline-offset-4 hover:underline",
            mono && "font-mono text-xs",
            className,
          )}
        >
          {text}
        </button>
      </PopoverTrigger>
      <PopoverContent className="w-max">
        <pre className="mb-2 max-h-72 overflow-auto font-mono text-xs break-all whitespace-pre-wrap">{text}</pre>
        <CopyButton text={text} wide />
      </PopoverContent>
    </Popover>
  );
}

/** A text with words between backticks, as the server and the manifests write them. */
export function Marked({ text }: { text: string }) {
  return text.split(/`([^`]+)`/).map((part, place) =>
    place % 2 === 1 ? (
      // The parts of a text have no other names than their places.
      // oxlint-disable-next-line react/no-array-index-key
      <code key={place} className="rounded bg-raised px-1 text-[0.9em] break-words">
        {part}
      </code>
    ) : (
      part
    ),
  );
}

/** A text to be copied whole. */
export function Secret({ text, label }: { text: string; label: string }) {
  return (
    <div className="flex items-center gap-1 rounded-md border border-border bg-background py-1 pr-1 pl-3">
      <code className="min-w-0 flex-1 py-1 text-xs break-all" data-testid={label}>
        {text}
      </code>
      <CopyButton text={text} label={`Copy ${label}`} />
    </div>
  );
}

/** A moment, how long ago; the exact one on demand. */
export function When({ at, never = "never" }: { at: string | null | undefined; never?: string }) {
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 30_000);
    return () => clearInterval(timer);
  }, []);
  if (!at) return <span className="text-muted">{never}</span>;
  return (
    <Tip text={moment(at)}>
      <time dateTime={at} className="whitespace-nowrap">
        {ago(at)}
      </time>
    </Tip>
  );
}

export function Code({ text, label, className }: { text: string; label?: string; className?: string }) {
  return (
    <div className={cn("group relative rounded-md border border-border bg-background", className)}>
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <pre className="max-h-112 overflow-auto p-3 pr-12 font-mono text-xs leading-relaxed whitespace-pre-wrap break-words" tabIndex={0}>
        {text}
      </pre>
      <CopyButton text={text} label={label ?? "Copy"} className="absolute top-1.5 right-1.5 bg-background" />
    </div>
  );
}
