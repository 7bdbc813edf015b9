import { PackageOpen } from "lucide-react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { toast } from "sonner";
import { ApiError, call, refuse } from "@/api/client";
import { type Revision, queryClient } from "@/api/queries";
import { Note, Refusal } from "./states";
import { Button } from "./ui/button";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Field } from "./ui/field";
import { Input } from "./ui/input";
import { bytes } from "@/lib/format";

async function upload(file: File, name: string): Promise<Revision> {
  const form = new FormData();
  form.set("component", file, file.name);
  if (name) form.set("name", name);
  const response = await call(new Request("/admin/v1/plugins", { method: "POST", body: form }));
  if (!response.ok) return refuse(response);
  return (await response.json()) as Revision;
}

/** Takes a component that is dropped anywhere on the page, or picked. */
export function Deploy({ done, children }: { done: (revision: Revision) => void; children: (pick: () => void) => ReactNode }) {
  const [file, setFile] = useState<File>();
  const [over, setOver] = useState(false);
  const [name, setName] = useState("");
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  const input = useRef<HTMLInputElement>(null);

  const take = (found: File) => {
    setError(undefined);
    setFile(found);
    setName(
      found.name
        .replace(/\.wasm$/i, "")
        .toLowerCase()
        .replace(/[^a-z0-9-]+/g, "-"),
    );
  };
  useEffect(() => {
    let depth = 0;
    const carries = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false;
    const enter = (event: DragEvent) => {
      if (!carries(event)) return;
      depth += 1;
      setOver(true);
    };
    const leave = (event: DragEvent) => {
      if (!carries(event)) return;
      depth -= 1;
      if (depth <= 0) setOver(false);
    };
    const hover = (event: DragEvent) => carries(event) && event.preventDefault();
    const drop = (event: DragEvent) => {
      if (!carries(event)) return;
      event.preventDefault();
      depth = 0;
      setOver(false);
      const found = event.dataTransfer?.files[0];
      if (!found) return;
      if (/\.wasm$/i.test(found.name)) take(found);
      else toast.error(`${found.name} is not a component: its name should end in .wasm.`);
    };
    window.addEventListener("dragenter", enter);
    window.addEventListener("dragleave", leave);
    window.addEventListener("dragover", hover);
    window.addEventListener("drop", drop);
    return () => {
      window.removeEventListener("dragenter", enter);
      window.removeEventListener("dragleave", leave);
      window.removeEventListener("dragover", hover);
      window.removeEventListener("drop", drop);
    };
  }, []);

  const bare = error instanceof ApiError && /name/.test(error.code);
  return (
    <>
      {children(() => input.current?.click())}
      <input
        ref={input}
        type="file"
        accept=".wasm,application/wasm"
        className="hidden"
        aria-label="Component"
        onChange={(event) => {
          const found = event.target.files?.[0];
          if (found) take(found);
          event.target.value = "";
        }}
      />
      {over && (
        <div className="pointer-events-none fixed inset-3 z-60 grid place-items-center rounded-xl border-2 border-dashed border-primary bg-background/85">
          <p className="flex items-center gap-3 text-lg font-medium">
            <PackageOpen className="size-7" aria-hidden /> Drop the component to deploy it
          </p>
        </div>
      )}
      <DialogRoot open={file !== undefined} onOpenChange={(open) => !open && !pending && setFile(undefined)}>
        <DialogContent title="Deploy a component" description={file ? `${file.name}, ${bytes(file.size)}` : ""}>
          <form
            className="grid gap-4"
            onSubmit={async (event) => {
              event.preventDefault();
              if (!file) return;
              setPending(true);
              setError(undefined);
              try {
                const revision = await upload(file, name);
                await queryClient.invalidateQueries({ queryKey: ["catalogue"] });
                toast.success(`${revision.name} ${revision.version} is in the catalogue`);
                setFile(undefined);
                done(revision);
              } catch (failure) {
                setError(failure);
              } finally {
                setPending(false);
              }
            }}
          >
            <Note>
              It becomes a revision in the catalogue. Nothing runs before you install it in a project and allow what it asks for.
            </Note>
            <Field label="Name" help="Used when the component brings no manifest of its own." error={bare ? "Choose another name." : undefined}>
              <Input value={name} autoComplete="off" onChange={(event) => setName(event.target.value)} />
            </Field>
            <Refusal error={error} />
            <div className="flex justify-end gap-2">
              <Button onClick={() => setFile(undefined)} disabled={pending}>
                Cancel
              </Button>
              <Button type="submit" variant="primary" pending={pending}>
                {pending ? "Checking and compiling…" : "Deploy"}
              </Button>
            </div>
          </form>
        </DialogContent>
      </DialogRoot>
    </>
  );
}
