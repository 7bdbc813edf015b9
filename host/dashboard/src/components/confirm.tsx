import { type ReactNode, useState } from "react";
import { reason } from "@/api/client";
import { Button } from "./ui/button";
import { DialogClose, DialogContent, DialogRoot } from "./ui/dialog";
import { Input } from "./ui/input";
import { Refusal } from "./states";

interface Props {
  open: boolean;
  onOpenChange: (open: boolean) => void;
  title: string;
  children: ReactNode;
  /** What the button says. */
  action: string;
  /** What has to be typed first. */
  typed?: string | undefined;
  danger?: boolean;
  run: () => Promise<unknown>;
}

/** Asks before something that hurts; what goes wrong is said in its place. */
export function Confirm({ open, onOpenChange, title, children, action, typed, danger = true, run }: Props) {
  const [text, setText] = useState("");
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  const change = (next: boolean) => {
    if (pending) return;
    setText("");
    setError(undefined);
    onOpenChange(next);
  };
  const ready = typed === undefined || text.trim() === typed;
  return (
    <DialogRoot open={open} onOpenChange={change}>
      <DialogContent title={title} role="alertdialog">
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            if (!ready) return;
            setPending(true);
            setError(undefined);
            try {
              await run();
              setText("");
              onOpenChange(false);
            } catch (failure) {
              setError(new Error(reason(failure)));
            } finally {
              setPending(false);
            }
          }}
        >
          <div className="grid gap-2 text-sm text-muted">{children}</div>
          {typed !== undefined && (
            <label className="grid gap-1.5 text-[0.8125rem]">
              <span>
                Type <code className="rounded bg-raised px-1 py-0.5 break-all">{typed}</code> to confirm
              </span>
              <Input autoComplete="off" value={text} onChange={(event) => setText(event.target.value)} />
            </label>
          )}
          <Refusal error={error} />
          <div className="flex justify-end gap-2">
            <DialogClose asChild>
              <Button disabled={pending}>Cancel</Button>
            </DialogClose>
            <Button type="submit" variant={danger ? "danger" : "primary"} pending={pending} disabled={!ready}>
              {action}
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}
