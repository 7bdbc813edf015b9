/** What was done or refused, said for a while. */
import { CheckCircle2, CircleAlert, X } from "lucide-react";
import { useSyncExternalStore } from "react";
import { t } from "@/i18n";
import { explain } from "@/lib/explain";

interface Toast {
  id: number;
  text: string;
  bad: boolean;
  undo?: (() => void) | undefined;
}

let toasts: Toast[] = [];
let next = 1;
const listeners = new Set<() => void>();

function put(changed: Toast[]): void {
  toasts = changed;
  for (const listener of listeners) listener();
}

function drop(id: number): void {
  put(toasts.filter((toast) => toast.id !== id));
}

export function say(text: string, options: { bad?: boolean; undo?: () => void } = {}): void {
  const toast = { id: next++, text, bad: options.bad ?? false, undo: options.undo };
  put([...toasts.slice(-2), toast]);
  window.setTimeout(() => drop(toast.id), toast.bad ? 10_000 : 6_000);
}

export function complain(error: unknown): void {
  say(explain(error), { bad: true });
}

export function Toasts() {
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <div aria-live="polite" role="status" className="toasts pointer-events-none fixed inset-x-0 bottom-20 z-[60] flex flex-col items-center gap-2 px-4 md:bottom-6">
      {shown.map((toast) => (
        <div key={toast.id} className="card pointer-events-auto flex max-w-lg items-center gap-3 py-2 pr-2 pl-4 shadow-xl">
          {toast.bad ? <CircleAlert size={18} className="text-bad" aria-hidden /> : <CheckCircle2 size={18} className="text-good" aria-hidden />}
          <span className="min-w-0 flex-1 [overflow-wrap:anywhere]">{toast.text}</span>
          {toast.undo && (
            <button
              type="button"
              className="button button-ghost min-h-9 text-primary"
              onClick={() => {
                drop(toast.id);
                toast.undo?.();
              }}
            >
              {t("undo")}
            </button>
          )}
          <button type="button" className="icon-button size-9" aria-label={t("close")} onClick={() => drop(toast.id)}>
            <X size={16} aria-hidden />
          </button>
        </div>
      ))}
    </div>
  );
}
