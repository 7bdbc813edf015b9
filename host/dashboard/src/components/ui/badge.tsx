import { type VariantProps, cva } from "class-variance-authority";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

const variants = cva("inline-flex items-center gap-1.5 rounded-full px-2 py-0.5 text-xs font-medium whitespace-nowrap", {
  variants: {
    tone: {
      plain: "bg-raised text-muted ring-1 ring-border ring-inset",
      accent: "bg-accent text-accent-foreground",
      good: "bg-good-soft text-good",
      warn: "bg-warn-soft text-warn",
      bad: "bg-bad-soft text-bad",
    },
  },
  defaultVariants: { tone: "plain" },
});

export type Tone = NonNullable<VariantProps<typeof variants>["tone"]>;

export function Badge({ className, tone, ...rest }: ComponentProps<"span"> & { tone?: Tone }) {
  return <span className={cn(variants({ tone }), className)} {...rest} />;
}

/** A state by colour and word. */
export function Dot({ tone }: { tone: Tone }) {
  const colours = { plain: "bg-muted", accent: "bg-primary", good: "bg-good", warn: "bg-warn", bad: "bg-bad" };
  return <span aria-hidden className={cn("size-1.5 rounded-full", colours[tone])} />;
}
