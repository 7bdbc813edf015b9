import { Popover as Parts } from "radix-ui";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export const Popover = Parts.Root;
export const PopoverTrigger = Parts.Trigger;

export function PopoverContent({ className, ...rest }: ComponentProps<typeof Parts.Content>) {
  return (
    <Parts.Portal>
      <Parts.Content
        align="start"
        sideOffset={6}
        collisionPadding={8}
        className={cn("pop max-w-[min(32rem,calc(100vw-1rem))] p-3 text-sm", className)}
        {...rest}
      />
    </Parts.Portal>
  );
}
