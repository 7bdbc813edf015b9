import { Check } from "lucide-react";
import { Checkbox as Parts } from "radix-ui";
import type { ComponentProps } from "react";
import { cn } from "@/lib/cn";

export function Checkbox({ className, ...rest }: ComponentProps<typeof Parts.Root>) {
  return (
    <Parts.Root
      className={cn(
        "grid size-4.5 shrink-0 place-items-center rounded border border-input bg-background disabled:opacity-50 data-[state=checked]:border-primary data-[state=checked]:bg-primary data-[state=checked]:text-primary-foreground",
        className,
      )}
      {...rest}
    >
      <Parts.Indicator>
        <Check className="size-3.5" strokeWidth={3} aria-hidden />
      </Parts.Indicator>
    </Parts.Root>
  );
}
