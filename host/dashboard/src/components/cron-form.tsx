/** The form of a job of `cron`: what it calls, when, and who is told. */
import { useQuery } from "@tanstack/react-query";
import { CircleCheck, LockKeyhole, LockKeyholeOpen, Plus, ShieldAlert, X } from "lucide-react";
import { useMemo, useState } from "react";
import { toast } from "sonner";
import { ApiError, plugin } from "@/api/client";
import { installationQuery, installationsQuery } from "@/api/queries";
import { beginnings, localZone, targetOf, zones } from "@/lib/cron";
import { isOvertaken, refused } from "@/lib/tags";
import { useAction } from "@/lib/use-action";
import { Changed } from "./changed";
import { Explained } from "./cron-explained";
import { type CronJob, type Kind, cronJobQuery, refreshCron, sealed } from "./cron-queries";
import { putPart } from "./plugin-parts";
import { Note, Refusal } from "./states";
import { Button } from "./ui/button";
import { Checkbox } from "./ui/checkbox";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Field } from "./ui/field";
import { Input, Select, Textarea } from "./ui/input";
import { Switch } from "./ui/switch";

interface Header {
  id: number;
  name: string;
  value: string;
  secret: boolean;
  /** Whether there is a sealed value that stays unless another is typed. */
  kept: boolean;
}

interface Draft {
  name: string;
  type: Kind;
  schedule: string;
  timezone: string;
  url: string;
  method: string;
  headers: Header[];
  plugin: string;
  path: string;
  body: string;
  action: string;
  timeout: string;
  retries: string;
  backoff: string;
  catchUp: string;
  overlap: boolean;
  enabled: boolean;
  on: string[];
  users: string;
  webhook: string;
}

let ids = 0;
const json = (value: unknown) => (value === undefined || value === null ? "" : JSON.stringify(value, null, 2));
const seconds = (milliseconds: number) => String(milliseconds / 1_000);

function draftOf(job: CronJob | undefined): Draft {
  return {
    name: job?.name ?? "",
    type: job?.type ?? "http",
    schedule: job?.schedule ?? "0 2 * * *",
    timezone: job?.timezone ?? localZone(),
    url: job?.http?.url ?? "",
    method: job?.http?.method ?? job?.plugin?.method ?? "POST",
    headers: Object.entries(job?.http?.headers ?? {}).map(([name, value]) => {
      const kept = value === sealed;
      ids += 1;
      return { id: ids, name, value: kept ? "" : value, secret: kept, kept };
    }),
    plugin: job?.plugin?.name ?? "",
    path: job?.plugin?.path ?? "",
    body: json(job?.http?.body ?? job?.plugin?.body ?? job?.payload),
    action: job?.action ?? "backup",
    timeout: job ? seconds(job.timeout_ms) : "",
    retries: job ? String(job.retries) : "0",
    backoff: job ? seconds(job.retry_backoff_ms) : "1",
    catchUp: job?.catch_up ?? "once",
    overlap: job?.overlap ?? false,
    enabled: job?.enabled ?? true,
    on: job?.notify.on ?? ["failure", "recovery", "missed"],
    users: job?.notify.user_ids.join(", ") ?? "",
    webhook: job?.notify.webhook_url === sealed ? sealed : "",
  };
}

/** What is sent of it; throws where a part cannot be. */
function bodyOf(draft: Draft): Record<string, unknown> {
  let body: unknown;
  if (draft.body.trim() !== "") {
    try {
      body = JSON.parse(draft.body);
    } catch (error) {
      throw new Error(`the body is not JSON yet: ${(error as Error).message}`, { cause: error });
    }
  }
  const content = body === undefined ? {} : { body };
  const headers: Record<string, unknown> = {};
  for (const { name, value, secret, kept } of draft.headers) {
    if (name.trim() === "") continue;
    headers[name.trim()] = secret ? { secret: kept && value === "" ? sealed : value } : value;
  }
  const target =
    draft.type === "http"
      ? { http: { url: draft.url.trim(), method: draft.method, headers, ...content } }
      : draft.type === "plugin"
        ? { plugin: { name: draft.plugin, method: draft.method, path: draft.path.trim(), ...content } }
        : { action: draft.action, payload: body ?? null };
  return {
    name: draft.name,
    schedule: draft.schedule.trim(),
    timezone: draft.timezone.trim(),
    ...target,
    ...(draft.timeout === "" ? {} : { timeout_ms: Math.round(Number(draft.timeout) * 1_000) }),
    retries: Number(draft.retries || 0),
    retry_backoff_ms: Math.round(Number(draft.backoff || 1) * 1_000),
    catch_up: draft.catchUp,
    overlap: draft.overlap,
    enabled: draft.enabled,
    notify: {
      on: draft.on,
      user_ids: draft.users.split(/[\s,]+/).filter(Boolean),
      webhook_url: draft.webhook.trim(),
    },
  };
}

/** Whether the project's list lets jobs call something, and a way to put it there. */
function Allowed({ project, list, entry, allowed }: { project: string; list: "allowed_targets" | "allowed_plugins"; entry: string; allowed: boolean }) {
  const { data } = useQuery(installationQuery(project, "cron"));
  const { pending, run } = useAction();
  const what = list === "allowed_targets" ? "hosts" : "plugins";
  if (!data) return null;
  if (allowed) {
    return (
      <p className="flex items-center gap-1.5 text-xs text-good">
        <CircleCheck className="size-3.5 shrink-0" aria-hidden /> Jobs may call <code className="break-all">{entry}</code>.
      </p>
    );
  }
  const allow = () =>
    putPart(project, "cron", (installed) => {
      const config = installed.config as Record<string, unknown>;
      const now = Array.isArray(config[list]) ? (config[list] as string[]) : [];
      return { config: { ...config, [list]: [...now.filter((other) => other !== entry), entry] } as Record<string, never> };
    });
  return (
    <Note tone="warn" className="flex flex-wrap items-center gap-x-3 gap-y-2">
      <ShieldAlert className="size-4 shrink-0" aria-hidden />
      <span className="min-w-0 flex-1 basis-56">
        <code className="break-all">{entry}</code> is not among the {what} that jobs of this project may call.
      </span>
      <Button
        size="sm"
        pending={pending}
        onClick={() => void run(allow, `Jobs may call ${entry} now`)}
      >
        Allow {entry.length > 32 ? "it" : entry}
      </Button>
    </Note>
  );
}

const kinds: [Kind, string, string][] = [
  ["http", "An address", "Calls a web address, as a webhook of another service."],
  ["plugin", "A plugin", "Calls a route of a plugin of this project, with all rights."],
  ["platform", "The platform", "Has AtlasHub itself do something for this project."],
];

const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];

function Headers({ headers, change }: { headers: Header[]; change: (headers: Header[]) => void }) {
  const put = (id: number, part: Partial<Header>) => change(headers.map((header) => (header.id === id ? { ...header, ...part } : header)));
  return (
    <fieldset className="grid gap-2">
      <legend className="mb-1.5 text-[0.8125rem] font-medium">Headers</legend>
      {headers.map((header, place) => (
        <div key={header.id} className="grid grid-cols-[1fr_auto_auto] gap-1 sm:grid-cols-[minmax(0,2fr)_minmax(0,3fr)_auto_auto]">
          <Input
            aria-label={`Name of header ${place + 1}`}
            className="col-span-3 font-mono text-xs sm:col-span-1"
            placeholder="authorization"
            value={header.name}
            onChange={(event) => put(header.id, { name: event.target.value })}
          />
          <Input
            aria-label={`Value of header ${place + 1}`}
            className="font-mono text-xs"
            type={header.secret ? "password" : "text"}
            autoComplete={header.secret ? "new-password" : "off"}
            placeholder={header.kept ? "sealed; stays unless you type another" : header.secret ? "Bearer …" : ""}
            value={header.value}
            onChange={(event) => put(header.id, { value: event.target.value })}
          />
          <Button
            variant="ghost"
            size="icon"
            aria-pressed={header.secret}
            aria-label={`Seal header ${place + 1}`}
            title={header.secret ? "Sealed: it is never shown again, and taken out of logs" : "Shown to whoever sees the job; click to seal it"}
            onClick={() => put(header.id, { secret: !header.secret, kept: false })}
          >
            {header.secret ? <LockKeyhole className="text-good" aria-hidden /> : <LockKeyholeOpen aria-hidden />}
          </Button>
          <Button variant="ghost" size="icon" aria-label={`Remove header ${place + 1}`} onClick={() => change(headers.filter(({ id }) => id !== header.id))}>
            <X aria-hidden />
          </Button>
        </div>
      ))}
      <p className="text-xs text-muted">What is sealed is never shown again and is taken out of logs. Addresses and bodies are shown: no secret belongs there.</p>
      <div>
        <Button
          size="sm"
          onClick={() => {
            ids += 1;
            change([...headers, { id: ids, name: "", value: "", secret: headers.length === 0, kept: false }]);
          }}
        >
          <Plus aria-hidden /> Add a header
        </Button>
      </div>
    </fieldset>
  );
}

const notices: [string, string][] = [
  ["failure", "It fails, having gone before"],
  ["recovery", "It goes again"],
  ["missed", "A time goes by without a run"],
];

export function CronForm({ project, job, close, done }: { project: string; job?: CronJob | undefined; close: () => void; done: (job: CronJob) => void }) {
  const [draft, setDraft] = useState(() => draftOf(job));
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  const [base, setBase] = useState(job?.etag);
  const cron = useQuery(installationQuery(project, "cron"));
  const plugins = useQuery(installationsQuery(project));
  const now = useQuery({ ...cronJobQuery(project, job?.id ?? ""), enabled: job !== undefined });
  const all = useMemo(() => zones(), []);
  const set = (part: Partial<Draft>) => setDraft((old) => ({ ...old, ...part }));
  const config = (cron.data?.config ?? {}) as { allowed_targets?: string[]; allowed_plugins?: string[] };
  const target = draft.type === "http" ? targetOf(draft.url, config.allowed_targets ?? []) : undefined;
  const webhook = draft.webhook && draft.webhook !== sealed ? targetOf(draft.webhook, config.allowed_targets ?? []) : undefined;
  const others = plugins.data?.items.filter((one) => one.name !== "cron") ?? [];
  const stale = base !== undefined && now.data !== undefined && now.data.etag !== base;
  const longest = { http: 30, plugin: 600, platform: 86_400 }[draft.type];
  return (
    <DialogRoot open onOpenChange={(open) => !open && !pending && close()}>
      <DialogContent
        side
        className="max-w-2xl"
        title={job ? `Change ${job.name}` : "New job"}
        onInteractOutside={(event) => event.preventDefault()}
        footer={
          <>
            <Button onClick={close} disabled={pending}>
              Cancel
            </Button>
            <Button type="submit" form="cron-job" variant="primary" pending={pending}>
              {job ? "Save" : "Create job"}
            </Button>
          </>
        }
      >
        <form
          id="cron-job"
          className="grid gap-5"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              const body = bodyOf(draft);
              const kept = await (job
                ? plugin<CronJob>(project, `/cron/jobs/${encodeURIComponent(job.id)}`, { method: "PATCH", json: body, etag: (now.data ?? job).etag })
                : plugin<CronJob>(project, "/cron/jobs", { method: "POST", json: { type: draft.type, ...body } }));
              await refreshCron(project);
              toast.success(job ? "Saved" : "The job is made");
              done(kept);
            } catch (failure) {
              if (isOvertaken(failure)) await refreshCron(project);
              refused(failure, setError);
            } finally {
              setPending(false);
            }
          }}
        >
          {stale && (
            <Changed
              what="job"
              {...(job ? { of: { project, target: job.id } } : {})}
              reset={() => {
                setDraft(draftOf(now.data));
                setBase(now.data?.etag);
              }}
            />
          )}
          <Field label="Name">
            <Input required maxLength={200} autoComplete="off" placeholder="Nightly report" value={draft.name} onChange={(event) => set({ name: event.target.value })} />
          </Field>

          <div className="grid gap-3">
            <div className="grid gap-4 sm:grid-cols-2">
              <Field label="Schedule" help="Minute, hour, day, month, day of the week; six fields begin with the second.">
                <Input required spellCheck={false} autoComplete="off" className="font-mono" value={draft.schedule} onChange={(event) => set({ schedule: event.target.value })} />
              </Field>
              <Field label="Time zone" help="Whose clock decides, summer time included.">
                <Input required list="zones" autoComplete="off" value={draft.timezone} onChange={(event) => set({ timezone: event.target.value })} />
              </Field>
              <datalist id="zones">
                {all.map((zone) => (
                  <option key={zone} value={zone} />
                ))}
              </datalist>
            </div>
            <div role="group" aria-label="Begin with" className="flex flex-wrap gap-1.5">
              {beginnings.map(([name, expression]) => (
                <Button key={expression} size="sm" aria-pressed={draft.schedule === expression} className="aria-pressed:border-primary aria-pressed:bg-accent aria-pressed:text-accent-foreground" onClick={() => set({ schedule: expression })}>
                  {name}
                </Button>
              ))}
            </div>
            <Explained project={project} schedule={draft.schedule} timezone={draft.timezone} />
          </div>

          <fieldset className="grid gap-3" disabled={job !== undefined}>
            <legend className="mb-1.5 text-[0.8125rem] font-medium">What it calls</legend>
            <div className="grid gap-2 sm:grid-cols-3">
              {kinds.map(([kind, title, help]) => (
                <label key={kind} className={`flex cursor-pointer items-start gap-2 rounded-md border p-2.5 ${draft.type === kind ? "border-primary bg-accent/40" : "border-border"} ${job && draft.type !== kind ? "opacity-50" : ""}`}>
                  <input type="radio" name="kind" className="mt-1 accent-(--primary)" checked={draft.type === kind} onChange={() => set({ type: kind })} />
                  <span>
                    <span className="block text-sm font-medium">{title}</span>
                    <span className="block text-xs text-muted">{help}</span>
                  </span>
                </label>
              ))}
            </div>
          </fieldset>

          {draft.type === "http" && (
            <>
              <div className="grid gap-1.5">
                <div className="grid grid-cols-[7rem_1fr] gap-2">
                  <Field label="Method">
                    <Select value={draft.method} onChange={(event) => set({ method: event.target.value })}>
                      {methods.map((name) => (
                        <option key={name}>{name}</option>
                      ))}
                    </Select>
                  </Field>
                  <Field label="Address">
                    <Input type="url" required autoComplete="off" spellCheck={false} placeholder="https://api.example.com/reports" value={draft.url} onChange={(event) => set({ url: event.target.value })} />
                  </Field>
                </div>
                {target && <Allowed project={project} list="allowed_targets" {...target} />}
              </div>
              <Headers headers={draft.headers} change={(headers) => set({ headers })} />
            </>
          )}
          {draft.type === "plugin" && (
            <div className="grid gap-1.5">
              <div className="grid grid-cols-2 gap-2 sm:grid-cols-[1fr_7rem_2fr]">
                <Field label="Plugin">
                  <Select required value={draft.plugin} onChange={(event) => set({ plugin: event.target.value })}>
                    <option value="">Choose…</option>
                    {others.map(({ name }) => (
                      <option key={name}>{name}</option>
                    ))}
                    {draft.plugin && !others.some(({ name }) => name === draft.plugin) && <option>{draft.plugin}</option>}
                  </Select>
                </Field>
                <Field label="Method">
                  <Select value={draft.method} onChange={(event) => set({ method: event.target.value })}>
                    {methods.map((name) => (
                      <option key={name}>{name}</option>
                    ))}
                  </Select>
                </Field>
                <Field label="Path" className="col-span-2 sm:col-span-1">
                  <Input required pattern="/.*" title="It begins with a slash" autoComplete="off" spellCheck={false} className="font-mono text-xs" placeholder="/files/sweep" value={draft.path} onChange={(event) => set({ path: event.target.value })} />
                </Field>
              </div>
              {draft.plugin && <Allowed project={project} list="allowed_plugins" entry={draft.plugin} allowed={config.allowed_plugins?.includes(draft.plugin) ?? false} />}
            </div>
          )}
          {draft.type === "platform" && (
            <Field label="What it does">
              <Select value={draft.action} onChange={(event) => set({ action: event.target.value })}>
                <option value="backup">Back the project up</option>
                <option value="export">Export the project</option>
                <option value="cleanup">Tidy up: remove what ran out, count anew</option>
              </Select>
            </Field>
          )}
          <Field label={draft.type === "platform" ? "What it is given" : "Body"} help="JSON; empty for none.">
            <Textarea spellCheck={false} className="font-mono text-xs" value={draft.body} onChange={(event) => set({ body: event.target.value })} />
          </Field>

          <details className="group rounded-md border border-border">
            <summary className="px-3 py-2 text-[0.8125rem] font-medium">Time-outs, retries, and what becomes of missed times</summary>
            <div className="grid gap-4 border-t border-border p-3 sm:grid-cols-3">
              <Field label="Time-out, seconds" help={`At most ${longest}.`}>
                <Input type="number" min={0.1} max={longest} step="any" placeholder={draft.type === "platform" ? "3600" : "30"} value={draft.timeout} onChange={(event) => set({ timeout: event.target.value })} />
              </Field>
              <Field label="Retries">
                <Input type="number" min={0} max={20} value={draft.retries} onChange={(event) => set({ retries: event.target.value })} />
              </Field>
              <Field label="First retry after, seconds" help="Then twice as long each time.">
                <Input type="number" min={0.1} max={3_600} step="any" value={draft.backoff} onChange={(event) => set({ backoff: event.target.value })} />
              </Field>
              <Field label="Times that no server saw" className="sm:col-span-2">
                <Select value={draft.catchUp} onChange={(event) => set({ catchUp: event.target.value })}>
                  <option value="once">Make up for them with one run</option>
                  <option value="all">Make up for each of them</option>
                  <option value="skip">Let them go</option>
                </Select>
              </Field>
              <label className="flex items-center gap-2 self-end pb-2 text-sm">
                <Switch aria-label="Runs may overlap" checked={draft.overlap} onCheckedChange={(overlap) => set({ overlap })} /> Runs may overlap
              </label>
            </div>
          </details>

          <details className="rounded-md border border-border">
            <summary className="px-3 py-2 text-[0.8125rem] font-medium">Who is told</summary>
            <div className="grid gap-4 border-t border-border p-3">
              <fieldset>
                <legend className="mb-1.5 text-[0.8125rem] font-medium">When</legend>
                <div className="flex flex-wrap gap-x-5 gap-y-2">
                  {notices.map(([name, title]) => (
                    <label key={name} className="flex cursor-pointer items-center gap-2 text-sm">
                      <Checkbox checked={draft.on.includes(name)} onCheckedChange={(on) => set({ on: on ? [...draft.on, name] : draft.on.filter((other) => other !== name) })} />
                      {title}
                    </label>
                  ))}
                </div>
              </fieldset>
              <Field label="Users, by their ids" help="Told by the plugin notifications, between commas.">
                <Input autoComplete="off" className="font-mono text-xs" value={draft.users} onChange={(event) => set({ users: event.target.value })} />
              </Field>
              <div className="grid gap-1.5">
                <Field label="Webhook" help="Gets the notice as Slack and Discord take it. Sealed.">
                  {draft.webhook === sealed ? (
                    <Button className="w-fit" onClick={() => set({ webhook: "" })}>
                      <LockKeyhole aria-hidden /> One is sealed; type another or take it out
                    </Button>
                  ) : (
                    <Input type="url" autoComplete="off" placeholder="https://hooks.example.com/…" value={draft.webhook} onChange={(event) => set({ webhook: event.target.value })} />
                  )}
                </Field>
                {webhook && <Allowed project={project} list="allowed_targets" {...webhook} />}
              </div>
            </div>
          </details>

          <label className="flex items-center gap-2 text-sm">
            <Switch aria-label="On" checked={draft.enabled} onCheckedChange={(enabled) => set({ enabled })} /> On: it runs by its schedule
          </label>
          <Refusal error={error} />
          {error instanceof ApiError && error.code === "target_not_allowed" && typeof error.details.allow === "string" && !target && !webhook && draft.type === "http" && (
            <Allowed project={project} list="allowed_targets" entry={error.details.allow} allowed={config.allowed_targets?.includes(error.details.allow) ?? false} />
          )}
        </form>
      </DialogContent>
    </DialogRoot>
  );
}
