import { DropdownMenu as Parts } from "radix-ui";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export const Menu = Parts.Root;
export const MenuTrigger = Parts.Trigger;

export function MenuContent({ className, ...rest }: ComponentProps<typeof Parts.Content>) {
  return (
    <Parts.Portal>
      <Parts.Content
        align="end"
        sideOffset={6}
        collisionPadding={8}
        className={cn("pop min-w-44 p-1", className)}
        {...rest}
      />
    </Parts.Portal>
  );
}

export function MenuItem({ className, danger, ...rest }: ComponentProps<typeof Parts.Item> & { danger?: boolean }) {
  return (
    <Parts.Item
      className={cn(
        "flex cursor-pointer items-center gap-2 rounded-md px-2.5 py-1.5 text-sm outline-none data-disabled:pointer-events-none data-disabled:opacity-50 data-highlighted:bg-raised [&_svg]:size-4 [&_svg]:text-muted",
        danger && "text-bad [&_svg]:text-bad",
        className,
      )}
      {...rest}
    />
  );
}

export function MenuLabel({ className, ...rest }: ComponentProps<typeof Parts.Label>) {
  return <Parts.Label className={cn("px-2.5 py-1.5 text-xs text-muted", className)} {...rest} />;
}

export function MenuSeparator() {
  return <Parts.Separator className="my-1 h-px bg-border" />;
}
