import { zodResolver } from "@hookform/resolvers/zod";
import { useState } from "react";
import { useForm } from "react-hook-form";
import { toast } from "sonner";
import { z } from "zod";
import { type Schemas, api, take } from "@/api/client";
import { type Project, queryClient } from "@/api/queries";
import { slugOf } from "@/lib/format";
import { Confirm } from "./confirm";
import { Note, Refusal } from "./states";
import { Secret } from "./text";
import { Button } from "./ui/button";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Field } from "./ui/field";
import { Input } from "./ui/input";

export type NewProjectAnswer = Schemas["NewProjectView"];

const slug = z
  .string()
  .regex(/^$|^[a-z0-9]([a-z0-9-]*[a-z0-9])?$/, "Lower-case letters, digits and hyphens; none at the ends.")
  .max(63, "At most 63 characters.");
const schema = z.object({ name: z.string().trim().min(1, "A name is needed.").max(200, "At most 200 characters."), slug });

export function ProjectForm({ done, action = "Create project" }: { done: (made: NewProjectAnswer) => void; action?: string }) {
  const [error, setError] = useState<unknown>();
  const form = useForm({ resolver: zodResolver(schema), defaultValues: { name: "", slug: "" } });
  const { errors, isSubmitting } = form.formState;
  const proposal = slugOf(form.watch("name"));
  return (
    <form
      className="grid gap-4"
      noValidate
      onSubmit={form.handleSubmit(async ({ name, slug }) => {
        setError(undefined);
        try {
          const wanted = slug || slugOf(name);
          const made = await take(api.POST("/admin/v1/projects", { body: { name, ...(wanted ? { slug: wanted } : {}) } }));
          await queryClient.invalidateQueries({ queryKey: ["projects"] });
          done(made);
        } catch (failure) {
          setError(failure);
        }
      })}
    >
      <Field label="Name" error={errors.name?.message}>
        <Input autoComplete="off" placeholder="Shop" {...form.register("name")} />
      </Field>
      <Field
        label="Slug"
        help={
          <>
            Its name in addresses: <code>/p/{form.watch("slug") || proposal || "shop"}/…</code>
          </>
        }
        error={errors.slug?.message}
      >
        <Input autoComplete="off" spellCheck={false} placeholder={proposal || "shop"} {...form.register("slug")} />
      </Field>
      <Refusal error={error} />
      <div className="flex justify-end">
        <Button type="submit" variant="primary" pending={isSubmitting}>
          {action}
        </Button>
      </div>
    </form>
  );
}

export function NewProject({ open, onOpenChange, done }: { open: boolean; onOpenChange: (open: boolean) => void; done: (made: NewProjectAnswer) => void }) {
  return (
    <DialogRoot open={open} onOpenChange={onOpenChange}>
      <DialogContent title="New project" description="Its database, its buckets and a pair of keys are made at once.">
        <ProjectForm
          done={(made) => {
            onOpenChange(false);
            done(made);
          }}
        />
      </DialogContent>
    </DialogRoot>
  );
}

/** Keys, the only time they can be seen. */
export function Keys({ publishable, secret }: { publishable?: string; secret?: string }) {
  return (
    <div className="grid gap-3">
      {publishable && (
        <div className="grid gap-1.5">
          <p className="text-[0.8125rem] font-medium">Publishable key</p>
          <Secret text={publishable} label="publishable key" />
          <p className="text-xs text-muted">May be shipped in a browser or an app: it reads what policies allow.</p>
        </div>
      )}
      {secret && (
        <div className="grid gap-1.5">
          <p className="text-[0.8125rem] font-medium">Secret key</p>
          <Secret text={secret} label="secret key" />
          <p className="text-xs text-muted">Stays on your servers: it may read and write everything in the project.</p>
        </div>
      )}
    </div>
  );
}

export function ShownOnce({ title, publishable, secret, close }: { title: string; publishable?: string; secret?: string; close: () => void }) {
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent
        title={title}
        onInteractOutside={(event) => event.preventDefault()}
        footer={
          <Button variant="primary" onClick={close}>
            I have kept them
          </Button>
        }
      >
        <div className="grid gap-4">
          <Note tone="warn">This is shown once. Copy it now: only a fingerprint of it is kept.</Note>
          <Keys {...(publishable ? { publishable } : {})} {...(secret ? { secret } : {})} />
        </div>
      </DialogContent>
    </DialogRoot>
  );
}

export function RenameProject({ project, close }: { project: Project; close: () => void }) {
  const [name, setName] = useState(project.name);
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent title="Rename the project" description="The slug, and with it all addresses, stays as it is.">
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              await take(api.PATCH("/admin/v1/projects/{project}", { params: { path: { project: project.slug } }, body: { name } }));
              await Promise.all([
                queryClient.invalidateQueries({ queryKey: ["projects"] }),
                queryClient.invalidateQueries({ queryKey: ["project", project.slug] }),
              ]);
              toast.success(`It is called ${name} now`);
              close();
            } catch (failure) {
              setError(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          <Field label="Name">
            <Input required maxLength={200} value={name} onChange={(event) => setName(event.target.value)} />
          </Field>
          <Refusal error={error} />
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" variant="primary" pending={pending}>
              Rename
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}

export function DeleteProject({ project, close, run }: { project: Project; close: () => void; run: () => Promise<unknown> }) {
  return (
    <Confirm
      open
      onOpenChange={(open) => !open && close()}
      title={`Delete ${project.name}?`}
      action="Delete the project"
      typed={project.slug}
      run={run}
    >
      <p>Its database, all its files, users and keys go with it. Apps that use it stop working at once.</p>
      <p>This cannot be undone.</p>
    </Confirm>
  );
}
