import { X } from "lucide-react";
import { Dialog as Parts } from "radix-ui";
import { type ComponentProps, type ReactNode, useRef } from "react";
import { toast } from "sonner";
import { cn } from "@/lib/cn";
import { Button } from "./button";

export const DialogRoot = Parts.Root;
export const DialogTrigger = Parts.Trigger;
export const DialogClose = Parts.Close;

interface Props extends Omit<ComponentProps<typeof Parts.Content>, "title" | "ref"> {
  title: ReactNode;
  description?: ReactNode;
  /** At the right edge, over the whole height: for what has many parts. */
  side?: boolean;
  footer?: ReactNode;
  closable?: boolean;
}

const firstField = ["input", "select", "textarea"].map((kind) => `[data-body] ${kind}:not(:disabled):not([type=hidden]):not([type=file])`).join();

/** What stands over the page until it is done with. */
export function DialogContent({ title, description, side, footer, closable = true, className, children, onInteractOutside, onEscapeKeyDown, ...rest }: Props) {
  // A click beside it does not throw away what was typed into a form, nor does
  // one Escape.
  const content = useRef<HTMLDivElement>(null);
  const typed = useRef(false);
  const warned = useRef(false);
  // What was refused is not sent yet.
  const isLost = () => typed.current || Boolean(content.current?.querySelector("form [role=alert]"));
  return (
    <Parts.Portal>
      <Parts.Overlay className="veil" />
      <Parts.Content
        ref={content}
        {...(description ? {} : { "aria-describedby": undefined })}
        className={cn(
          "pop fixed z-50 flex flex-col overflow-hidden",
          side
            ? "inset-y-0 right-0 w-full max-w-xl rounded-none border-y-0 border-r-0"
            : "top-1/2 left-1/2 max-h-[calc(100dvh-2rem)] w-[calc(100vw-2rem)] max-w-lg -translate-x-1/2 -translate-y-1/2",
          className,
        )}
        onOpenAutoFocus={(event) => {
          // What one came for, rather than the way out; a sheet is read first.
          const field = !side && content.current?.querySelector<HTMLElement>(firstField);
          if (!field) return;
          event.preventDefault();
          field.focus();
        }}
        onInput={(event) => {
          if (event.target instanceof Element && event.target.closest("form")) typed.current = true;
          warned.current = false;
        }}
        onSubmit={() => {
          typed.current = false;
        }}
        onInteractOutside={(event) => {
          if (isLost()) event.preventDefault();
          onInteractOutside?.(event);
        }}
        onEscapeKeyDown={(event) => {
          if (isLost() && !warned.current) {
            event.preventDefault();
            warned.current = true;
            toast("Escape once more closes this, without what you typed");
          }
          onEscapeKeyDown?.(event);
        }}
        {...rest}
      >
        <header className="flex items-start gap-4 px-5 pt-4 pb-3">
          <div className="min-w-0 flex-1">
            <Parts.Title className="text-base font-semibold break-words">{title}</Parts.Title>
            {description && <Parts.Description className="mt-1 text-sm text-muted">{description}</Parts.Description>}
          </div>
          {closable && (
            <Parts.Close asChild>
              <Button variant="ghost" size="icon-sm" aria-label="Close">
                <X aria-hidden />
              </Button>
            </Parts.Close>
          )}
        </header>
        {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
        <div data-body className="min-h-0 flex-1 overflow-y-auto px-5 pb-5" tabIndex={0}>
          {children}
        </div>
        {footer && (
          <footer className="flex flex-wrap justify-end gap-2 border-t border-border bg-raised/40 px-5 py-3">{footer}</footer>
        )}
      </Parts.Content>
    </Parts.Portal>
  );
}
