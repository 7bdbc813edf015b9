import { MoreVertical } from "lucide-react";
import { type KeyboardEvent, type ReactNode, useEffect, useLayoutEffect, useRef, useState } from "react";

export interface Choice {
  label: string;
  icon?: ReactNode;
  bad?: boolean;
  run: () => void;
}

interface Props {
  label: string;
  choices: Choice[];
  /** What is pressed to open it; three dots unless given. */
  children?: ReactNode;
  className?: string;
}

/** A menu (WAI-ARIA menu button): arrows move, Escape closes. */
export function Menu({ label, choices, children, className = "icon-button" }: Props) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);

  useLayoutEffect(() => {
    const node = list.current;
    if (!open || !node || !button.current) return;
    const at = button.current.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = node;
    const below = at.bottom + 4 + height <= window.innerHeight;
    node.style.left = `${Math.max(8, Math.min(at.right - width, window.innerWidth - width - 8))}px`;
    node.style.top = `${below ? at.bottom + 4 : Math.max(8, at.top - height - 4)}px`;
    node.querySelector<HTMLElement>("[role=menuitem]")?.focus();
  }, [open]);

  useEffect(() => {
    if (!open) return;
    const outside = (event: Event) => {
      if (!list.current?.contains(event.target as Node) && !button.current?.contains(event.target as Node)) setOpen(false);
    };
    const away = () => setOpen(false);
    document.addEventListener("pointerdown", outside);
    window.addEventListener("resize", away);
    return () => {
      document.removeEventListener("pointerdown", outside);
      window.removeEventListener("resize", away);
    };
  }, [open]);

  const move = (event: KeyboardEvent) => {
    event.stopPropagation();
    const items = [...(list.current?.querySelectorAll<HTMLElement>("[role=menuitem]") ?? [])];
    const place = items.indexOf(document.activeElement as HTMLElement);
    const next = { ArrowDown: place + 1, ArrowUp: place - 1 + items.length, Home: 0, End: items.length - 1 }[event.key];
    if (next !== undefined) {
      event.preventDefault();
      items[next % items.length]?.focus();
    } else if (event.key === "Escape" || event.key === "Tab") {
      event.preventDefault();
      setOpen(false);
      button.current?.focus();
    }
  };

  return (
    <>
      <button
        ref={button}
        type="button"
        className={className}
        aria-haspopup="menu"
        aria-expanded={open}
        aria-label={label}
        onClick={(event) => {
          event.stopPropagation();
          setOpen(!open);
        }}
      >
        {children ?? <MoreVertical size={18} aria-hidden />}
      </button>
      {open && (
        <div ref={list} role="menu" tabIndex={-1} aria-label={label} className="card fixed top-0 left-0 z-50 min-w-48 p-1.5 shadow-xl" onKeyDown={move}>
          {choices.map((choice) => (
            <button
              key={choice.label}
              type="button"
              role="menuitem"
              tabIndex={-1}
              className={`flex w-full items-center gap-3 rounded-lg px-3 py-2 text-left hover:bg-raised focus:bg-raised ${choice.bad ? "text-bad" : ""}`}
              onClick={(event) => {
                event.stopPropagation();
                setOpen(false);
                button.current?.focus();
                choice.run();
              }}
            >
              {choice.icon}
              <span className="min-w-0 [overflow-wrap:anywhere]">{choice.label}</span>
            </button>
          ))}
        </div>
      )}
    </>
  );
}
