import { X } from "lucide-react";
import { type ReactNode, useEffect, useId, useRef, useState } from "react";
import { t } from "@/i18n";

interface Props {
  title: string;
  /** Without it there is no way past it. */
  onClose?: () => void;
  children: ReactNode;
  footer?: ReactNode;
  /** For what needs more room. */
  wide?: boolean;
}

/** What stands over the page until it is done with. The browser keeps the focus inside. */
export function Dialog({ title, onClose, children, footer, wide }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  const [warned, warn] = useState(false);
  const isClosable = onClose !== undefined;
  useEffect(() => {
    const node = dialog.current;
    const before = document.activeElement;
    // Browsers close it after all when Escape is pressed again and again.
    if (!isClosable) node?.setAttribute("closedby", "none");
    if (node && !node.open) node.showModal();
    // Else the browser begins with the button that closes it.
    node?.querySelector<HTMLElement>("[data-first]")?.focus();
    return () => {
      node?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, [isClosable]);
  return (
    <dialog
      ref={dialog}
      aria-labelledby={heading}
      className={`card max-h-[calc(100dvh-2rem)] w-[calc(100vw-2rem)] overflow-hidden p-0 shadow-2xl ${wide ? "max-w-2xl" : "max-w-md"}`}
      onCancel={(event) => {
        event.preventDefault();
        if (!warned && dialog.current?.querySelector("form[data-typed]")) warn(true);
        else onClose?.();
      }}
      onInput={() => warn(false)}
      onClose={() => {
        // Of a second Escape browsers tell only here.
        if (!dialog.current?.open) onClose?.();
      }}
      onKeyDown={(event) => event.stopPropagation()}
    >
      <div className="flex max-h-[calc(100dvh-2rem)] flex-col">
        <header className="flex items-start gap-3 px-5 pt-4 pb-2">
          <h2 id={heading} className="min-w-0 flex-1 pt-1.5 text-lg font-semibold [overflow-wrap:anywhere]">
            {title}
          </h2>
          {onClose && (
            <button type="button" className="icon-button -mr-2" aria-label={t("close")} onClick={onClose}>
              <X size={20} aria-hidden />
            </button>
          )}
        </header>
        <div className="min-h-0 flex-1 overflow-y-auto px-5 pb-5">{children}</div>
        <p role="status" className={warned ? "border-t border-border bg-warn-soft px-5 py-2 text-sm text-warn" : "sr-only"}>
          {warned && t("escape_again")}
        </p>
        {footer && <footer className="flex flex-wrap justify-end gap-2 border-t border-border bg-raised/50 px-5 py-3">{footer}</footer>}
      </div>
    </dialog>
  );
}
