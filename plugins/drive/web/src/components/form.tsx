import { type ComponentProps, type FormEvent, type ReactNode, useId, useState } from "react";
import { explain } from "@/lib/explain";

interface FieldProps extends ComponentProps<"input"> {
  label: string;
  hint?: ReactNode;
}

export function Field({ label, hint, ...rest }: FieldProps) {
  const id = useId();
  return (
    <div>
      <label htmlFor={id} className="mb-1 block text-sm font-medium">
        {label}
      </label>
      <input id={id} className="field" data-first={rest.autoFocus} {...(hint ? { "aria-describedby": `${id}-hint` } : {})} {...rest} />
      {hint && (
        <p id={`${id}-hint`} className="mt-1 text-sm text-muted">
          {hint}
        </p>
      )}
    </div>
  );
}

/** Does one thing at a time, and says why it could not. */
export function useDoing(): { busy: boolean; problem: string | undefined; run: (what: () => Promise<void>) => Promise<void>; forget: () => void } {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();
  const run = async (what: () => Promise<void>) => {
    setBusy(true);
    setProblem(undefined);
    try {
      await what();
    } catch (error) {
      setProblem(explain(error));
    }
    setBusy(false);
  };
  return { busy, problem, run, forget: () => setProblem(undefined) };
}

export function Problem({ text }: { text: string | undefined }) {
  return text ? (
    <p role="alert" className="rounded-lg bg-bad-soft px-3 py-2 text-sm text-bad">
      {text}
    </p>
  ) : null;
}

interface FormProps {
  id?: string;
  onSend: (fields: FormData) => Promise<void>;
  children: (state: { busy: boolean; problem: string | undefined }) => ReactNode;
}

export function Form({ id, onSend, children }: FormProps) {
  const { busy, problem, run } = useDoing();
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (busy) return;
    const form = event.currentTarget;
    const fields = new FormData(form);
    void run(async () => {
      await onSend(fields);
      delete form.dataset.typed;
    });
  };
  return (
    <form
      id={id}
      onSubmit={send}
      onInput={(event) => {
        // What a dialog asks about before it is closed.
        event.currentTarget.dataset.typed = "";
      }}
      className="grid gap-4"
    >
      {children({ busy, problem })}
    </form>
  );
}

export function text(fields: FormData, name: string): string {
  const value = fields.get(name);
  return typeof value === "string" ? value : "";
}
