import { Dialog as Parts } from "radix-ui";
import type { ReactNode } from "react";

/** The navigation on a phone, from the left. */
export function Sheet({ open, onOpenChange, title, children }: { open: boolean; onOpenChange: (open: boolean) => void; title: string; children: ReactNode }) {
  return (
    <Parts.Root open={open} onOpenChange={onOpenChange}>
      <Parts.Portal>
        <Parts.Overlay className="veil" />
        <Parts.Content aria-describedby={undefined} className="pop fixed inset-y-0 left-0 z-50 w-72 rounded-none border-y-0 border-l-0">
          <Parts.Title className="sr-only">{title}</Parts.Title>
          {children}
        </Parts.Content>
      </Parts.Portal>
    </Parts.Root>
  );
}
