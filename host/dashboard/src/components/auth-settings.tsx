import { useQuery } from "@tanstack/react-query";
import { Fingerprint, Plus, RotateCw, X } from "lucide-react";
import { useRef, useState } from "react";
import { toast } from "sonner";
import { type Schemas, api, take } from "@/api/client";
import { queryClient } from "@/api/queries";
import { settle } from "@/lib/merge";
import { isOvertaken, made, onlyNew, refused, tagOf, untilFirst, useOvertaken } from "@/lib/tags";
import { Changed } from "./changed";
import { Confirm } from "./confirm";
import { Empty, Failure, Loading, Note, Refusal } from "./states";
import { CopyButton } from "./text";
import { Badge } from "./ui/badge";
import { Button } from "./ui/button";
import { Card, CardBody, CardHeader } from "./ui/card";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Field, Toggle } from "./ui/field";
import { Input, Select, Textarea } from "./ui/input";
import { type AuthSettings, type MailTemplate, authQuery, providersQuery } from "./user-queries";

/** Saves what was changed since `base`, and leaves what somebody else has changed beside it. */
async function save(project: string, base: { current: AuthSettings }, mine: AuthSettings): Promise<void> {
  const path = { project };
  const answer = await untilFirst(async () => {
    const read = await api.GET("/admin/v1/projects/{project}/auth", { params: { path } });
    const body = settle(base, mine, (await take(Promise.resolve(read))) as AuthSettings) as never;
    return take(api.PUT("/admin/v1/projects/{project}/auth", { params: { path, header: made(tagOf(read)) }, body }));
  });
  base.current = answer as AuthSettings;
  queryClient.setQueryData(authQuery(project).queryKey, answer as AuthSettings);
}

function Settings({ project, settings }: { project: string; settings: AuthSettings }) {
  const [draft, setDraft] = useState(settings);
  const base = useRef(settings);
  const [urls, setUrls] = useState(settings.redirect_urls.join("\n"));
  const [error, setError] = useState<unknown>();
  const [pending, setPending] = useState(false);
  const [rotating, setRotating] = useState(false);
  const number = (name: "password_min_characters" | "access_token_seconds" | "refresh_token_seconds", min: number, max: number) => (
    <Input
      type="number"
      required
      min={min}
      max={max}
      value={draft[name]}
      onChange={(event) => setDraft({ ...draft, [name]: Number(event.target.value) })}
    />
  );
  return (
    <Card>
      <CardHeader title="How users sign in" />
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          setPending(true);
          setError(undefined);
          try {
            const redirect_urls = urls.split("\n").map((line) => line.trim()).filter(Boolean);
            await save(project, base, { ...draft, mail_templates: base.current.mail_templates, redirect_urls });
            toast.success("Saved. It holds on every node within a second");
          } catch (failure) {
            setError(failure);
          } finally {
            setPending(false);
          }
        }}
      >
        <CardBody className="grid max-w-2xl gap-5">
          <Toggle
            label="This project has users"
            help="Switched off, nobody can sign in or up."
            checked={draft.enabled}
            change={(enabled) => setDraft({ ...draft, enabled })}
          />
          <Toggle
            label="Addresses must be proven"
            help="Who signs in has to follow a link that was mailed to the address first."
            checked={draft.require_verified_email}
            change={(require_verified_email) => setDraft({ ...draft, require_verified_email })}
          />
          <div className="grid gap-4 sm:grid-cols-2">
            <Field label="Who may sign up">
              <Select value={draft.sign_up} onChange={(event) => setDraft({ ...draft, sign_up: event.target.value as AuthSettings["sign_up"] })}>
                <option value="open">Everybody</option>
                <option value="invite">Who was invited</option>
                <option value="closed">Nobody</option>
              </Select>
            </Field>
            <Field label="Shortest password, characters">{number("password_min_characters", 8, 64)}</Field>
            <Field label="An access token is good for, seconds">{number("access_token_seconds", 60, 3_600)}</Field>
            <Field label="A session ends unused after, seconds">{number("refresh_token_seconds", 3_600, 31_536_000)}</Field>
          </div>
          <Field label="Where mails and sign-ins may lead" help="One address a line; /* at the end for everything below. The first is used unless asked otherwise.">
            <Textarea spellCheck={false} className="font-mono text-xs" value={urls} onChange={(event) => setUrls(event.target.value)} />
          </Field>
          <Refusal error={error} />
          <div className="flex flex-wrap gap-2">
            <Button type="submit" variant="primary" pending={pending}>
              Save
            </Button>
            <Button onClick={() => setRotating(true)}>
              <RotateCw aria-hidden /> Rotate the signing key
            </Button>
          </div>
        </CardBody>
      </form>
      <Confirm
        open={rotating}
        onOpenChange={setRotating}
        danger={false}
        title="Rotate the key that signs tokens?"
        action="Rotate it"
        run={async () => {
          await take(api.POST("/admin/v1/projects/{project}/auth/keys/rotate", { params: { path: { project } } }));
          toast.success("New tokens are signed with the new key");
        }}
      >
        <p>Tokens that are out stay good until they run out. Servers that check them fetch the new key by its id.</p>
      </Confirm>
    </Card>
  );
}

const words = (purpose: string, until: string) =>
  `${purpose}:\n\n{{link}}\n\nThe link works once, and for ${until}. If you did not expect this mail, you can ignore it.\n`;

/** The mails, and what the platform itself writes: where one's own words begin. */
const kinds: [string, string, MailTemplate][] = [
  [
    "verify_email",
    "Proof of the address",
    {
      subject: "Confirm your address for {{project}}",
      text: words("Please confirm that this is your email address for {{project}}", "24 hours"),
    },
  ],
  [
    "magic_link",
    "Sign-in link",
    { subject: "Sign in to {{project}}", text: words("Follow this link to sign in to {{project}}", "15 minutes") },
  ],
  [
    "reset_password",
    "New password",
    {
      subject: "Set a new password for {{project}}",
      text: words("Somebody, hopefully you, asked for a new password for {{project}}", "one hour"),
    },
  ],
  [
    "invite",
    "Invitation",
    {
      subject: "You are invited to {{project}}",
      text: words("You are invited to {{project}}. Choose a password to begin", "seven days"),
    },
  ],
];

/** Fills a template in as the server does; in HTML what is filled in is escaped. */
function fill(template: string, project: string, html: boolean): string {
  const values: Record<string, string> = {
    link: "https://example.com/confirm?token=…",
    token: "aho_example",
    project,
    email: "ada@example.com",
    name: "Ada Lovelace",
  };
  return template.replace(/\{\{\s*(\w+)\s*\}\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return html ? value.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;") : value;
  });
}

function Mails({ project, settings }: { project: string; settings: AuthSettings }) {
  const [kind, setKind] = useState("verify_email");
  const [templates, setTemplates] = useState(settings.mail_templates);
  const base = useRef(settings);
  const [error, setError] = useState<unknown>();
  const [pending, setPending] = useState(false);
  const [shown, setShown] = useState<"text" | "html">("text");
  const own = templates[kind];
  const [, , proposal] = kinds.find(([name]) => name === kind) ?? kinds[0]!;
  const set = (change: Partial<MailTemplate>) => setTemplates({ ...templates, [kind]: { ...(own ?? proposal), ...change } });
  return (
    <Card>
      <CardHeader
        title="Mails"
        description={
          <>
            In your own words. <code>{"{{link}}"}</code>, <code>{"{{token}}"}</code>, <code>{"{{project}}"}</code>, <code>{"{{email}}"}</code>{" "}
            and <code>{"{{name}}"}</code> are filled in.
          </>
        }
      />
      <form
        onSubmit={async (event) => {
          event.preventDefault();
          setPending(true);
          setError(undefined);
          try {
            await save(project, base, { ...base.current, mail_templates: templates });
            toast.success("Saved");
          } catch (failure) {
            setError(failure);
          } finally {
            setPending(false);
          }
        }}
      >
        <CardBody className="grid gap-5 lg:grid-cols-2">
          <div className="grid content-start gap-4">
            <Field label="Mail">
              <Select value={kind} onChange={(event) => setKind(event.target.value)}>
                {kinds.map(([name, label]) => (
                  <option key={name} value={name}>
                    {label}
                    {templates[name] ? " (your own)" : ""}
                  </option>
                ))}
              </Select>
            </Field>
            {own ? (
              <>
                <Field label="Subject">
                  <Input required maxLength={200} value={own.subject} onChange={(event) => set({ subject: event.target.value })} />
                </Field>
                <Field label="Text">
                  <Textarea required className="min-h-40 font-mono text-xs" value={own.text} onChange={(event) => set({ text: event.target.value })} />
                </Field>
                <Field label="HTML" help="Beside the text, for programs that show it; may be empty.">
                  <Textarea
                    className="min-h-28 font-mono text-xs"
                    spellCheck={false}
                    value={own.html ?? ""}
                    onChange={(event) => {
                      const { html: _, ...rest } = own;
                      setTemplates({ ...templates, [kind]: event.target.value ? { ...rest, html: event.target.value } : rest });
                    }}
                  />
                </Field>
              </>
            ) : (
              <Note className="flex flex-wrap items-center gap-3">
                <span className="flex-1">The platform's own words are sent.</span>
                <Button size="sm" onClick={() => set({})}>
                  Write your own
                </Button>
              </Note>
            )}
            <Refusal error={error} />
            <div className="flex flex-wrap gap-2">
              <Button type="submit" variant="primary" pending={pending}>
                Save
              </Button>
              {own && (
                <Button
                  onClick={() => {
                    const { [kind]: _, ...rest } = templates;
                    setTemplates(rest);
                  }}
                >
                  Back to the platform's words
                </Button>
              )}
            </div>
          </div>
          {own && (
            <section aria-label="Preview" className="content-start">
              <div className="mb-1.5 flex items-center justify-between">
                <h3 className="text-[0.8125rem] font-medium">Preview</h3>
                {own.html && (
                  <Button size="sm" variant="ghost" onClick={() => setShown(shown === "text" ? "html" : "text")}>
                    Show the {shown === "text" ? "HTML" : "text"}
                  </Button>
                )}
              </div>
              <div className="overflow-hidden rounded-md border border-border">
                <p className="border-b border-border bg-raised/50 px-3 py-2 text-sm">
                  <span className="text-muted">Subject: </span>
                  {fill(own.subject, project, false)}
                </p>
                {shown === "html" && own.html ? (
                  <iframe title="The mail as HTML" sandbox="" className="h-72 w-full bg-white" srcDoc={fill(own.html, project, true)} />
                ) : (
                  <pre className="min-h-40 p-3 font-sans text-sm break-words whitespace-pre-wrap">{fill(own.text, project, false)}</pre>
                )}
              </div>
            </section>
          )}
        </CardBody>
      </form>
    </Card>
  );
}

const bodyOf = (provider: Schemas["ProviderView"] | undefined): Schemas["ProviderBody"] => ({
  kind: provider?.kind ?? "google",
  client_id: provider?.client_id ?? "",
  enabled: provider?.enabled ?? true,
  sign_up: provider?.sign_up ?? true,
  ...(provider ? { issuer: provider.issuer } : {}),
});

function ProviderDialog({ project, provider, close }: { project: string; provider: Schemas["ProviderView"] | undefined; close: () => void }) {
  const [name, setName] = useState(provider?.name ?? "");
  const [body, setBody] = useState(bodyOf(provider));
  const [overtaken, seen] = useOvertaken(provider?.etag);
  const providers = () => queryClient.invalidateQueries({ queryKey: providersQuery(project).queryKey });
  const [secret, setSecret] = useState("");
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent title={provider ? `Sign-in with ${provider.name}` : "Add a provider"}>
        <form
          className="grid gap-4"
          onSubmit={async (event) => {
            event.preventDefault();
            setPending(true);
            setError(undefined);
            try {
              const { issuer, ...rest } = body;
              await take(
                api.PUT("/admin/v1/projects/{project}/auth/providers/{name}", {
                  params: { path: { project, name: name || body.kind }, header: provider ? made(provider.etag) : onlyNew },
                  body: { ...rest, ...(issuer ? { issuer } : {}), ...(secret ? { client_secret: secret } : {}) },
                }),
              );
              await providers();
              toast.success("Saved");
              close();
            } catch (failure) {
              if (isOvertaken(failure)) await providers();
              if (provider) refused(failure, setError);
              else setError(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          {overtaken && !pending && (
            <Changed
              what="provider"
              of={{ project, action: "auth.put_provider", target: name }}
              reset={() => {
                setBody(bodyOf(provider));
                seen();
              }}
            />
          )}
          <Field label="Kind">
            <Select value={body.kind} disabled={provider !== undefined} onChange={(event) => setBody({ ...body, kind: event.target.value })}>
              <option value="google">Google</option>
              <option value="github">GitHub</option>
              <option value="microsoft">Microsoft</option>
              <option value="oidc">OpenID Connect</option>
            </Select>
          </Field>
          <Field label="Name" help="In addresses: /v1/auth/oauth/name">
            <Input disabled={provider !== undefined} placeholder={body.kind} value={name} onChange={(event) => setName(event.target.value)} />
          </Field>
          <Field label="Client id">
            <Input required value={body.client_id} onChange={(event) => setBody({ ...body, client_id: event.target.value })} />
          </Field>
          <Field label="Client secret" help={provider?.has_client_secret ? "One is kept; it stays unless you type another." : undefined}>
            <Input type="password" autoComplete="new-password" value={secret} onChange={(event) => setSecret(event.target.value)} />
          </Field>
          <Field label="Issuer" help="Needed for OpenID Connect; for others only with a server of one's own.">
            <Input
              type="url"
              required={body.kind === "oidc"}
              value={body.issuer ?? ""}
              onChange={(event) => setBody({ ...body, issuer: event.target.value })}
            />
          </Field>
          <Toggle label="On" help="One can sign in with it." checked={body.enabled ?? true} change={(enabled) => setBody({ ...body, enabled })} />
          <Toggle
            label="Strangers become users"
            help="Where the project is open to new users."
            checked={body.sign_up ?? true}
            change={(sign_up) => setBody({ ...body, sign_up })}
          />
          <Refusal error={error} />
          <div className="flex justify-end gap-2">
            <Button onClick={close}>Cancel</Button>
            <Button type="submit" variant="primary" pending={pending}>
              Save
            </Button>
          </div>
        </form>
      </DialogContent>
    </DialogRoot>
  );
}

function Providers({ project }: { project: string }) {
  const { data, error, refetch } = useQuery(providersQuery(project));
  const [editing, setEditing] = useState<Schemas["ProviderView"] | "new">();
  const [removing, setRemoving] = useState<string>();
  return (
    <Card>
      <CardHeader
        title="Sign-in with others"
        description="Google, GitHub, Microsoft, or any OpenID provider."
        actions={
          <Button size="sm" onClick={() => setEditing("new")}>
            <Plus aria-hidden /> Add
          </Button>
        }
      />
      {error && !data ? (
        <Failure error={error} retry={() => void refetch()} />
      ) : !data ? (
        <Loading rows={2} />
      ) : data.items.length === 0 ? (
        <Empty icon={Fingerprint} title="None yet" className="py-6">
          Users sign in with an address and a password, or by a mailed link.
        </Empty>
      ) : (
        <ul className="border-t border-border">
          {data.items.map((provider) => (
            <li key={provider.name} className="flex flex-wrap items-center gap-3 border-b border-border px-4 py-2.5 last:border-0">
              <span className="font-medium">{provider.name}</span>
              <Badge>{provider.kind}</Badge>
              <Badge tone={provider.enabled ? "good" : "plain"}>{provider.enabled ? "on" : "off"}</Badge>
              <span className="flex min-w-0 flex-1 items-center gap-1">
                <code className="truncate text-xs text-muted" title={provider.callback_url}>
                  {provider.callback_url}
                </code>
                <CopyButton text={provider.callback_url} label="Copy the callback address" />
              </span>
              <Button size="sm" variant="ghost" onClick={() => setEditing(provider)}>
                Change
              </Button>
              <Button size="icon-sm" variant="ghost" aria-label={`Remove ${provider.name}`} onClick={() => setRemoving(provider.name)}>
                <X aria-hidden />
              </Button>
            </li>
          ))}
        </ul>
      )}
      {editing && (
        <ProviderDialog
          project={project}
          provider={editing === "new" ? undefined : (data?.items.find((one) => one.name === editing.name) ?? editing)}
          close={() => setEditing(undefined)}
        />
      )}
      {removing && (
        <Confirm
          open
          onOpenChange={(open) => !open && setRemoving(undefined)}
          title={`Remove ${removing}?`}
          action="Remove the provider"
          run={async () => {
            await take(api.DELETE("/admin/v1/projects/{project}/auth/providers/{name}", { params: { path: { project, name: removing } } }));
            await queryClient.invalidateQueries({ queryKey: providersQuery(project).queryKey });
          }}
        >
          <p>Who signs in with it needs another way: a password, or a mailed link.</p>
        </Confirm>
      )}
    </Card>
  );
}

export function AuthPanel({ project, part }: { project: string; part: "settings" | "mails" }) {
  const { data, error, refetch } = useQuery(authQuery(project));
  if (error && !data) {
    return (
      <Card>
        <Failure error={error} retry={() => void refetch()} />
      </Card>
    );
  }
  if (!data) return <Loading />;
  if (part === "mails") return <Mails project={project} settings={data} />;
  return (
    <div className="grid gap-4">
      <Settings project={project} settings={data} />
      <Providers project={project} />
    </div>
  );
}
