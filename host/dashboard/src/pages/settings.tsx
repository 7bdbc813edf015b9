import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { Globe, Trash2, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { toast } from "sonner";
import { type Schemas, api, take } from "@/api/client";
import { type Project, domainsQuery, projectQuery, queryClient, usageQuery } from "@/api/queries";
import { Confirm } from "@/components/confirm";
import { PageHeader } from "@/components/page";
import { DeleteProject } from "@/components/project-forms";
import { Failure, Loading, Note, Refusal } from "@/components/states";
import { CopyButton, When } from "@/components/text";
import { Button } from "@/components/ui/button";
import { Card, CardBody, CardHeader } from "@/components/ui/card";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { bytes } from "@/lib/format";
import { settle } from "@/lib/merge";
import { useProject } from "@/lib/use-project";

function Names({ project }: { project: Project }) {
  const [name, setName] = useState(project.name);
  const [slug, setSlug] = useState(project.slug);
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  const navigate = useNavigate();
  const moves = slug !== project.slug;
  return (
    <Card>
      <CardHeader title="Name and slug" />
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          setPending(true);
          setError(undefined);
          try {
            await take(
              api.PATCH("/admin/v1/projects/{project}", {
                params: { path: { project: project.slug } },
                body: { name, ...(moves ? { slug } : {}) },
              }),
            );
            await queryClient.invalidateQueries({ queryKey: ["projects"] });
            await queryClient.invalidateQueries({ queryKey: ["project", project.slug] });
            toast.success("Saved");
            if (moves) await navigate({ to: "/projects/$project/settings", params: { project: slug } });
          } catch (failure) {
            setError(failure);
          } finally {
            setPending(false);
          }
        }}
      >
        <CardBody className="grid max-w-xl gap-4">
          <Field label="Name">
            <Input required maxLength={200} value={name} onChange={(event) => setName(event.target.value)} />
          </Field>
          <Field label="Slug" help="Its name in addresses.">
            <Input required spellCheck={false} value={slug} onChange={(event) => setSlug(event.target.value)} />
          </Field>
          {moves && <Note tone="warn">Addresses with the old slug stop working. Apps that use a key alone do not notice.</Note>}
          <Refusal error={error} />
          <div>
            <Button type="submit" variant="primary" pending={pending} disabled={name === project.name && !moves}>
              Save
            </Button>
          </div>
        </CardBody>
      </form>
    </Card>
  );
}

function Domains({ project }: { project: string }) {
  const { data, error, refetch } = useQuery(domainsQuery(project));
  const [host, setHost] = useState("");
  const [pending, setPending] = useState(false);
  const [refused, setRefused] = useState<unknown>();
  const [removing, setRemoving] = useState<string>();
  return (
    <Card>
      <CardHeader title="Domains" description="Requests to these hosts are this project's. Point their DNS at this server first." />
      {error && !data ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading rows={2} />
      ) : (
        data.items.length > 0 && (
          <ul className="border-t border-border">
            {data.items.map((domain) => (
              <li key={domain.host} className="flex items-center gap-2 border-b border-border px-4 py-2">
                <Globe className="size-4 text-muted" aria-hidden />
                <span className="min-w-0 flex-1 truncate text-sm">{domain.host}</span>
                <span className="text-xs text-muted">
                  <When at={domain.created_at} />
                </span>
                <CopyButton text={domain.host} label={`Copy ${domain.host}`} />
                <Button variant="ghost" size="icon-sm" aria-label={`Remove ${domain.host}`} onClick={() => setRemoving(domain.host)}>
                  <X aria-hidden />
                </Button>
              </li>
            ))}
          </ul>
        )
      )}
      <CardBody className="pt-4">
        <form
          className="grid max-w-xl gap-3"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setRefused(undefined);
            try {
              await take(api.POST("/admin/v1/projects/{project}/domains", { params: { path: { project } }, body: { host: host.trim() } }));
              setHost("");
              toast.success("The domain leads here now");
              await queryClient.invalidateQueries({ queryKey: domainsQuery(project).queryKey });
            } catch (failure) {
              setRefused(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          <div className="flex gap-2">
            <Input
              required
              aria-label="New domain"
              placeholder="api.example.com"
              spellCheck={false}
              value={host}
              onChange={(event) => setHost(event.target.value)}
            />
            <Button type="submit" pending={pending}>
              Add
            </Button>
          </div>
          <Refusal error={refused} />
        </form>
      </CardBody>
      {removing && (
        <Confirm
          open
          onOpenChange={(open) => !open && setRemoving(undefined)}
          title={`Remove ${removing}?`}
          action="Remove the domain"
          run={async () => {
            await take(api.DELETE("/admin/v1/projects/{project}/domains/{host}", { params: { path: { project, host: removing } } }));
            await queryClient.invalidateQueries({ queryKey: domainsQuery(project).queryKey });
          }}
        >
          <p>Requests to it no longer reach this project.</p>
        </Confirm>
      )}
    </Card>
  );
}

const mib = 1_048_576;
const quotaFields = [
  ["storage_bytes", "Storage, MiB", "Of the whole project.", mib],
  ["user_storage_bytes", "Storage of each user, MiB", "", mib],
  ["requests_per_second", "Requests a second", "Of all callers together.", 1],
  ["caller_reads_per_second", "Reads a second", "Of one caller.", 1],
  ["caller_writes_per_second", "Writes a second", "Of one caller.", 1],
] as const;

/** The limits as they stand in the form. */
function fieldsOf(usage: Schemas["UsageView"]): Record<string, string> {
  const shown = (value: number | null | undefined, unit: number) => (value === null || value === undefined ? "" : String(value / unit));
  return {
    storage_bytes: shown(usage.storage.limit_bytes, mib),
    user_storage_bytes: shown(usage.user_storage_bytes, mib),
    requests_per_second: shown(usage.requests_per_second, 1),
    caller_reads_per_second: shown(usage.caller_reads_per_second, 1),
    caller_writes_per_second: shown(usage.caller_writes_per_second, 1),
  };
}

function Quota({ project }: { project: string }) {
  const { data, error, refetch } = useQuery(usageQuery(project));
  const [draft, setDraft] = useState<Record<string, string>>();
  const [pending, setPending] = useState(false);
  const [refused, setRefused] = useState<unknown>();
  const base = useRef<Record<string, string>>({});
  useEffect(() => {
    if (!data || draft) return;
    base.current = fieldsOf(data);
    setDraft(base.current);
  }, [data, draft]);
  return (
    <Card>
      <CardHeader
        title="Limits"
        description={data ? `${bytes(data.storage.used_bytes)} are stored now. An empty field sets the platform's default.` : "What the project may use."}
      />
      {error && !data ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : !draft ? (
        <Loading rows={3} />
      ) : (
        <form
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setRefused(undefined);
            try {
              const theirs = await take(api.GET("/admin/v1/projects/{project}/usage", { params: { path: { project } } }));
              const fields = settle(base, draft, fieldsOf(theirs));
              const body: Record<string, number> = {};
              for (const [name, , , unit] of quotaFields) if (fields[name]) body[name] = Math.round(Number(fields[name]) * unit);
              const answer = await take(
                api.PUT("/admin/v1/projects/{project}/quota", { params: { path: { project } }, body: body as Schemas["Quota"] }),
              );
              queryClient.setQueryData(usageQuery(project).queryKey, answer);
              setDraft(undefined);
              toast.success("Saved. The limits hold on every node");
            } catch (failure) {
              setRefused(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          <CardBody className="grid max-w-3xl gap-4 sm:grid-cols-2">
            {quotaFields.map(([name, label, help]) => (
              <Field key={name} label={label} help={help || undefined}>
                <Input
                  type="number"
                  min={0}
                  step="any"
                  value={draft[name] ?? ""}
                  onChange={(event) => setDraft({ ...draft, [name]: event.target.value })}
                />
              </Field>
            ))}
            <Refusal error={refused} className="sm:col-span-2" />
            <div className="sm:col-span-2">
              <Button type="submit" variant="primary" pending={pending}>
                Save
              </Button>
            </div>
          </CardBody>
        </form>
      )}
    </Card>
  );
}

export function Settings() {
  const project = useProject();
  const { data, error, refetch } = useQuery(projectQuery(project));
  const [deleting, setDeleting] = useState(false);
  const navigate = useNavigate();
  if (error && !data) {
    return (
      <Card>
        <Failure error={error} retry={() => void refetch()} />
      </Card>
    );
  }
  if (!data) return <Loading rows={8} />;
  return (
    <>
      <PageHeader title="Settings" description={`Of ${data.name}.`} />
      <div className="grid gap-4">
        <Names key={data.updated_at} project={data} />
        <Domains project={project} />
        <Quota project={project} />
        <Card className="border-bad/40">
          <CardHeader
            title="Delete the project"
            description="Its database, files, users and keys go with it."
            actions={
              <Button variant="danger" onClick={() => setDeleting(true)}>
                <Trash2 aria-hidden /> Delete…
              </Button>
            }
          />
        </Card>
      </div>
      {deleting && (
        <DeleteProject
          project={data}
          close={() => setDeleting(false)}
          run={async () => {
            await take(api.DELETE("/admin/v1/projects/{project}", { params: { path: { project } } }));
            toast.success(`${data.name} is deleted`);
            await navigate({ to: "/projects" });
            queryClient.removeQueries({ queryKey: ["project", project] });
            await queryClient.invalidateQueries({ queryKey: ["projects"] });
          }}
        />
      )}
    </>
  );
}
