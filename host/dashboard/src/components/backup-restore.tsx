import { useState } from "react";
import { cn } from "@/lib/cn";
import { slugOf } from "@/lib/format";
import { type Owner, restoreNew, restoreOver } from "./backup-queries";
import { Note, Refusal } from "./states";
import { Button } from "./ui/button";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Field } from "./ui/field";
import { Input } from "./ui/input";

interface Props {
  /** The project that it may replace; none in the platform's list. */
  project: Owner;
  backup: { id: string; slug?: string | null };
  /** Whether it is what an earlier restore replaced. */
  undo?: boolean;
  close: () => void;
  begun: () => void;
}

/** Where a backup goes: over its project, after its name was typed, or into a new one. */
export function RestoreDialog({ project, backup, undo = false, close, begun }: Props) {
  const [into, setInto] = useState<"over" | "new">(project !== undefined && undo ? "over" : "new");
  const [typed, setTyped] = useState("");
  const [name, setName] = useState("");
  const [slug, setSlug] = useState("");
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  const ways = [
    ["new", "As a new project", "Beside what there is. Nothing is touched, and you can look at it first."],
    ["over", "Over this project", "Everything in it is replaced by what the backup holds."],
  ] as const;
  return (
    <DialogRoot open onOpenChange={(next) => !next && !pending && close()}>
      <DialogContent
        title={undo ? "Undo the restore" : "Restore the backup"}
        description={undo ? "What the restore replaced is put back." : "It is loaded and checked beside what is there; until then nothing changes."}
      >
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              if (into === "over" && project !== undefined) await restoreOver(project, backup.id, typed.trim());
              else await restoreNew(project, backup.id, { ...(name ? { name } : {}), ...(slug ? { slug } : {}) });
              close();
              begun();
            } catch (failure) {
              setError(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          {project !== undefined && !undo && (
            <fieldset className="grid gap-2 sm:grid-cols-2">
              <legend className="sr-only">Where to</legend>
              {ways.map(([value, title, help]) => (
                <label
                  key={value}
                  className={cn(
                    "flex cursor-pointer items-start gap-2.5 rounded-md border p-3 text-sm",
                    into === value ? "border-primary bg-accent/40 ring-1 ring-primary" : "border-border hover:border-input",
                  )}
                >
                  <input type="radio" name="into" className="mt-0.5 accent-primary" checked={into === value} onChange={() => setInto(value)} />
                  <span>
                    <span className="block font-medium">{title}</span>
                    <span className="block text-xs text-muted">{help}</span>
                  </span>
                </label>
              ))}
            </fieldset>
          )}
          {into === "new" ? (
            <div className="grid gap-4 sm:grid-cols-2">
              <Field label="Name" help="Empty: as it was called.">
                <Input
                  autoComplete="off"
                  maxLength={200}
                  value={name}
                  onChange={(event) => {
                    if (slug === slugOf(name)) setSlug(slugOf(event.target.value));
                    setName(event.target.value);
                  }}
                />
              </Field>
              <Field label="Slug" help="In addresses. Empty: as it was, or like it.">
                <Input
                  autoComplete="off"
                  className="font-mono"
                  placeholder={backup.slug ? `${backup.slug}-2` : ""}
                  value={slug}
                  onChange={(event) => setSlug(event.target.value)}
                />
              </Field>
            </div>
          ) : (
            <>
              <Note tone="warn">
                While it is put in place the project answers nobody. Users have to sign in again; API keys and host names stay as they are now.
                {!undo && " What is there now is kept as a backup, with which you can undo this."}
              </Note>
              <label className="grid gap-1.5 text-[0.8125rem]">
                <span>
                  Type <code className="rounded bg-raised px-1 py-0.5 break-all">{project}</code> to confirm
                </span>
                <Input autoComplete="off" value={typed} onChange={(event) => setTyped(event.target.value)} />
              </label>
            </>
          )}
          <Refusal error={error} />
          <div className="flex justify-end gap-2">
            <Button onClick={close} disabled={pending}>
              Cancel
            </Button>
            <Button type="submit" variant={into === "over" ? "danger" : "primary"} pending={pending} disabled={into === "over" && typed.trim() !== project}>
              {into === "over" ? `${undo ? "Put it back over" : "Restore over"} ${project}` : "Restore as a new project"}
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}
