import { Tooltip as Parts } from "radix-ui";
import type { ReactElement, ReactNode } from "react";

export const TooltipProvider = Parts.Provider;

export function Tip({ text, children }: { text: ReactNode; children: ReactElement }) {
  return (
    <Parts.Root>
      <Parts.Trigger asChild>{children}</Parts.Trigger>
      <Parts.Portal>
        <Parts.Content sideOffset={6} collisionPadding={8} className="pop max-w-80 px-2 py-1 text-xs">
          {text}
        </Parts.Content>
      </Parts.Portal>
    </Parts.Root>
  );
}
