import { Switch as Parts } from "radix-ui";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export function Switch({ className, ...rest }: ComponentProps<typeof Parts.Root>) {
  return (
    <Parts.Root
      className={cn(
        "relative h-5 w-9 shrink-0 cursor-pointer rounded-full border border-transparent bg-input transition-colors disabled:opacity-50 data-[state=checked]:bg-primary",
        className,
      )}
      {...rest}
    >
      <Parts.Thumb className="block size-4 translate-x-0.5 rounded-full bg-white shadow transition-transform data-[state=checked]:translate-x-4" />
    </Parts.Root>
  );
}
