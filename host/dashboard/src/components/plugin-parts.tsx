import { CircleCheck, CircleMinus, CirclePlus, Globe, ShieldAlert } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { type Schemas, api, take } from "@/api/client";
import { type Installation, type Revision, queryClient } from "@/api/queries";
import { inWords } from "@/lib/grants";
import { isOvertaken, made, onlyNew, refused, untilFirst } from "@/lib/tags";
import { Changed } from "./changed";
import { Note, Refusal } from "./states";
import { Badge, Dot, type Tone } from "./ui/badge";
import { Button } from "./ui/button";
import { Checkbox } from "./ui/checkbox";
import { DialogContent, DialogRoot } from "./ui/dialog";

const healths: Record<string, [string, Tone]> = {
  ok: ["healthy", "good"],
  failing: ["failing", "bad"],
  cut_off: ["cut off for a while", "bad"],
  unavailable: ["unavailable", "warn"],
  disabled: ["off", "plain"],
};

export function HealthBadge({ plugin }: { plugin: Pick<Installation, "health" | "last_error"> }) {
  const [word, tone] = healths[plugin.health] ?? [plugin.health, "warn" as Tone];
  return (
    <Badge tone={tone} title={plugin.last_error ?? undefined}>
      <Dot tone={tone} /> {word}
    </Badge>
  );
}

/** Changes an installation: with a tag, only the one that has it; with `null`, only where it is not installed. What is there by then is read anew. */
export async function put(project: string, plugin: string, body: Schemas["Wanted"], etag?: string | null): Promise<Schemas["InstalledView"]> {
  const header = etag === null ? onlyNew : made(etag);
  const installed = () => queryClient.invalidateQueries({ queryKey: ["project", project, "plugins"] });
  try {
    const params = { path: { project, plugin }, header };
    const answer = await take(api.PUT("/admin/v1/projects/{project}/plugins/{plugin}", { params, body }));
    await Promise.all([installed(), queryClient.invalidateQueries({ queryKey: ["project", project, "openapi"] })]);
    return answer;
  } catch (error) {
    if (isOvertaken(error)) await installed();
    throw error;
  }
}

/** Changes one part of an installation, made of what is there by now. */
export const putPart = (project: string, plugin: string, part: (now: Installation) => Schemas["Wanted"]) =>
  untilFirst(async () => {
    const params = { path: { project, plugin } };
    const now = await take(api.GET("/admin/v1/projects/{project}/plugins/{plugin}", { params }));
    return put(project, plugin, part(now), now.etag);
  });

/** Which entries of the audit tell of an installation. */
export const auditOf = (project: string, plugin: string) => ({ project, target: plugin, action: "plugin.*" });

interface Props {
  project: string;
  revision: Revision;
  /** What is installed now, when this is an upgrade or a way back. */
  installed?: Installation | undefined;
  close: () => void;
  done?: () => void;
}

/** What a plugin asks for, in plain words, with what is new since the revision before. */
export function Consent({ project, revision, installed, close, done }: Props) {
  const had = new Set(installed?.requested_grants ?? []);
  const proposed = () => {
    const chosen = new Set(installed ? installed.grants : revision.grants);
    if (installed) for (const grant of revision.grants) if (!had.has(grant)) chosen.add(grant);
    return chosen;
  };
  const [given, setGiven] = useState(proposed);
  const [base, setBase] = useState(installed?.generation);
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  const dropped = installed ? installed.requested_grants.filter((grant) => !revision.grants.includes(grant)) : [];
  const fresh = installed ? revision.grants.filter((grant) => !had.has(grant)) : [];
  const answered = installed?.routes ?? revision.routes;
  const left = answered.filter((route) => !revision.routes.includes(route));
  return (
    <DialogRoot open onOpenChange={(open) => !open && !pending && close()}>
      <DialogContent
        title={installed ? `${revision.name} ${installed.version} → ${revision.version}` : `Install ${revision.name}`}
        description={revision.description}
        footer={
          <>
            <Button onClick={close} disabled={pending}>
              Cancel
            </Button>
            <Button
              variant="primary"
              pending={pending}
              onClick={async () => {
                setPending(true);
                setError(undefined);
                try {
                  const grants = revision.grants.filter((grant) => given.has(grant));
                  const wanted = { revision: revision.id, grants, ...(installed ? {} : { enabled: true }) };
                  const answer = await put(project, revision.name, wanted, installed ? installed.etag : null);
                  const ran = answer.migrations_applied.length;
                  toast.success(
                    `${revision.name} ${revision.version} is ${installed ? "in place" : "installed"}${ran > 0 ? `, with ${ran} migrations` : ""}`,
                  );
                  close();
                  done?.();
                } catch (failure) {
                  refused(failure, setError);
                } finally {
                  setPending(false);
                }
              }}
            >
              {installed ? "Allow and switch" : "Allow and install"}
            </Button>
          </>
        }
      >
        <div className="grid gap-4">
          {installed?.generation !== base && !pending && (
            <Changed
              what="plugin"
              of={auditOf(project, revision.name)}
              reset={() => {
                setGiven(proposed());
                setBase(installed?.generation);
              }}
            />
          )}
          {installed && fresh.length === 0 && dropped.length === 0 && <Note>It asks for the same as the revision that runs now.</Note>}
          {fresh.length > 0 && <Note tone="warn">It asks for more than before. What is new is marked.</Note>}
          <div>
            <h3 className="mb-2 text-[0.8125rem] font-medium">
              {revision.grants.length > 0 ? "It asks to" : "It asks for nothing: it sees the requests to its addresses, and nothing else."}
            </h3>
            <ul className="grid gap-1">
              {revision.grants.map((grant) => {
                const plain = inWords(grant);
                const isNew = fresh.includes(grant);
                return (
                  <li key={grant}>
                    <label className="flex cursor-pointer items-start gap-3 rounded-md border border-border p-2.5 hover:bg-raised/50">
                      <Checkbox
                        className="mt-0.5"
                        checked={given.has(grant)}
                        onCheckedChange={(checked) => {
                          const next = new Set(given);
                          if (checked) next.add(grant);
                          else next.delete(grant);
                          setGiven(next);
                        }}
                      />
                      <span className="min-w-0 flex-1">
                        <span className="flex flex-wrap items-center gap-2 text-sm font-medium break-words">
                          {plain.title}
                          {isNew && (
                            <Badge tone="warn">
                              <CirclePlus className="size-3" aria-hidden /> new
                            </Badge>
                          )}
                        </span>
                        <span className="block text-xs text-muted">{plain.means}</span>
                      </span>
                      {plain.wide ? (
                        <ShieldAlert className="size-4 shrink-0 text-warn" aria-label="reaches your data or the outside" />
                      ) : (
                        <CircleCheck className="size-4 shrink-0 text-good" aria-label="stays in its own" />
                      )}
                    </label>
                  </li>
                );
              })}
            </ul>
            {dropped.length > 0 && (
              <ul className="mt-2 grid gap-1">
                {dropped.map((grant) => (
                  <li key={grant} className="flex items-center gap-2 px-2.5 text-xs text-muted">
                    <CircleMinus className="size-3.5" aria-hidden /> No longer asks to: {inWords(grant).title.toLowerCase()}
                  </li>
                ))}
              </ul>
            )}
          </div>
          {revision.routes.length > 0 && (
            <div>
              <h3 className="mb-2 text-[0.8125rem] font-medium">It answers at</h3>
              <ul className="flex flex-wrap gap-1.5">
                {revision.routes.map((route) => (
                  <li key={route}>
                    {answered.includes(route) ? (
                      <Badge className="font-mono">
                        <Globe className="size-3" aria-hidden /> {route}
                      </Badge>
                    ) : (
                      <Badge tone="warn" className="font-mono">
                        <CirclePlus className="size-3" aria-hidden /> {route} <span className="font-sans">new</span>
                      </Badge>
                    )}
                  </li>
                ))}
              </ul>
            </div>
          )}
          {left.length > 0 && (
            <Note tone="warn">
              It no longer answers at <span className="font-mono">{left.join(", ")}</span>: calls to there get a 404.
            </Note>
          )}
          {revision.grants.some((grant) => !given.has(grant)) && (
            <Note tone="warn">Without what you took away, some of what it does may fail. You can allow it later.</Note>
          )}
          <Refusal error={error} />
        </div>
      </DialogContent>
    </DialogRoot>
  );
}
