import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export function Input({ className, ...rest }: ComponentProps<"input">) {
  return <input className={cn("field h-9", className)} {...rest} />;
}

export function Textarea({ className, ...rest }: ComponentProps<"textarea">) {
  return <textarea className={cn("field min-h-20 py-2", className)} {...rest} />;
}

/** The choice of one of a few, by the browser's own means: good on a phone too. */
export function Select({ className, children, ...rest }: ComponentProps<"select">) {
  return (
    <select className={cn("field h-9 pr-8", className)} {...rest}>
      {children}
    </select>
  );
}
