import { type ReactElement, type ReactNode, cloneElement, useId } from "react";
import { cn } from "@/lib/cn";
import { Switch } from "./switch";

interface Props {
  label: ReactNode;
  help?: ReactNode;
  error?: string | undefined;
  className?: string;
  children: ReactElement<{ id?: string; "aria-describedby"?: string; "aria-invalid"?: boolean }>;
}

/** An input with its label, what it is for, and what is wrong with it. */
export function Field({ label, help, error, className, children }: Props) {
  const own = useId();
  const id = children.props.id ?? own;
  const described = [help ? `${id}-help` : "", error ? `${id}-error` : ""].filter(Boolean).join(" ");
  return (
    <div className={cn("grid content-start gap-1.5", className)}>
      <label htmlFor={id} className="text-[0.8125rem] font-medium">
        {label}
      </label>
      {cloneElement(children, {
        id,
        ...(described ? { "aria-describedby": described } : {}),
        ...(error ? { "aria-invalid": true } : {}),
      })}
      {help && (
        <p id={`${id}-help`} className="text-xs text-muted">
          {help}
        </p>
      )}
      {error && (
        <p id={`${id}-error`} role="alert" className="text-xs text-bad">
          {error}
        </p>
      )}
    </div>
  );
}

/** Something that is on or off, and what that means. */
export function Toggle({ label, help, checked, change }: { label: string; help: ReactNode; checked: boolean; change: (checked: boolean) => void }) {
  return (
    <div className="flex items-start justify-between gap-4">
      <div>
        <p className="text-[0.8125rem] font-medium">{label}</p>
        <p className="mt-0.5 text-xs text-muted">{help}</p>
      </div>
      <Switch aria-label={label} checked={checked} onCheckedChange={change} />
    </div>
  );
}
