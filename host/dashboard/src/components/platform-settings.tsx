import { useQuery } from "@tanstack/react-query";
import { MailCheck, Settings2 } from "lucide-react";
import { useMemo, useState } from "react";
import { toast } from "sonner";
import { type Schemas, api, take } from "@/api/client";
import { useAction } from "@/lib/use-action";
import { type Col, DataTable } from "./data-table";
import { Empty, Failure, Loading, Note } from "./states";
import { CopyButton, Cut } from "./text";
import { Badge } from "./ui/badge";
import { Button } from "./ui/button";
import { Card, CardBody, CardHeader } from "./ui/card";
import { Checkbox } from "./ui/checkbox";
import { Input } from "./ui/input";

type Setting = Schemas["SettingView"];

const parts: Record<string, string> = {
  data_dir: "Data",
  network: "Network and mail",
  tenancy: "Addresses of projects",
  database: "Database",
  storage: "Object store",
  backups: "Backups",
  secrets: "Keys",
  access: "Cloudflare Access",
  limits: "Limits",
  queue: "Queue",
  log: "Log",
  telemetry: "Metrics and traces",
};

const partOf = (name: string) => parts[name.split(".")[0] ?? ""] ?? name;
const inWords = (name: string) => (name.split(".").at(-1) ?? name).replaceAll("_", " ");
const textOf = (value: unknown): string => (Array.isArray(value) ? value.join(", ") : String(value));

function Value({ setting }: { setting: Setting }) {
  if (setting.secret) return <span className="text-muted">{setting.set ? "set, and told to nobody" : "not set"}</span>;
  const text = setting.value === null || setting.value === undefined ? "" : textOf(setting.value);
  return text ? <Cut text={text} mono className="max-w-[50vw] sm:max-w-96" /> : <span className="text-muted">not set</span>;
}

/** Who admits admins, and whether mails leave: what else needs a look at the variables. */
function InShort({ of }: { of: (name: string) => Setting | undefined }) {
  const { pending, run } = useAction();
  const text = (name: string) => {
    const value = of(name)?.value;
    return value === null || value === undefined ? "" : textOf(value);
  };
  const server = text("network.smtp_url");
  const team = text("access.team");
  const role = text("access.default_role");
  return (
    <div className="grid gap-4 md:grid-cols-2">
      <Card>
        <CardHeader
          title="Mail"
          description={server ? `By ${server}, from ${text("network.mail_from")}.` : "No mail server is set: mails lie as files in the data folder."}
          actions={
            <Button
              size="sm"
              pending={pending}
              onClick={() =>
                void run(async () => {
                  const { to, sent } = await take(api.POST("/admin/v1/settings/mail", { body: {} }));
                  toast.success(sent ? `The mail server took a mail to ${to}` : `A mail to ${to} lies in the data folder`);
                })
              }
            >
              <MailCheck aria-hidden /> Send me a trial
            </Button>
          }
        />
      </Card>
      <Card>
        <CardHeader
          title="Cloudflare Access"
          description={
            team
              ? `Vouches for admins: team ${team}. ${role ? `Whom it lets in and who is no admin yet becomes ${role}.` : "Nobody becomes an admin by it."}`
              : "Off: admins sign in here. ATLASHUB_ACCESS_TEAM and ATLASHUB_ACCESS_AUDIENCE switch it on."
          }
        />
      </Card>
    </div>
  );
}

/** What the node that answers runs with. */
export function PlatformSettings() {
  const [words, setWords] = useState("");
  const [changed, setChanged] = useState(false);
  const { data, error, refetch } = useQuery({ queryKey: ["settings"], queryFn: ({ signal }) => take(api.GET("/admin/v1/settings", { signal })) });
  const wanted = words.trim().toLowerCase();
  const shown = data?.items.filter(
    (one) => (!changed || one.set) && (!wanted || `${one.name} ${one.variable} ${partOf(one.name)} ${inWords(one.name)}`.toLowerCase().includes(wanted)),
  );
  const columns = useMemo<Col<Setting>[]>(
    () => [
      {
        id: "name",
        head: "Setting",
        sort: (one) => one.name,
        cell: (one) => (
          <span className="block">
            <span className="block text-xs text-muted">{partOf(one.name)}</span>
            {inWords(one.name)}
          </span>
        ),
      },
      {
        id: "value",
        head: "Value",
        cell: (one) => (
          <span className="flex items-center gap-2">
            <Value setting={one} />
            {one.set && <Badge tone="accent">set</Badge>}
          </span>
        ),
      },
      {
        id: "variable",
        head: "Variable",
        wide: true,
        sort: (one) => one.variable,
        cell: (one) => (
          <span className="flex items-center gap-1">
            <code className="text-xs text-muted">{one.variable}</code>
            <CopyButton text={one.variable} label={`Copy: ${one.variable}`} className="size-6" />
          </span>
        ),
      },
    ],
    [],
  );
  if (error && !data)
    return (
      <Card>
        <Failure error={error} retry={() => void refetch()} />
      </Card>
    );
  if (!data)
    return (
      <Card>
        <Loading rows={6} />
      </Card>
    );
  return (
    <>
      <InShort of={(name) => data.items.find((one) => one.name === name)} />
      <Card>
        <CardHeader title="Settings of this node" description="They come from flags, the environment and a file, and hold from the next start on." />
        <CardBody className="flex flex-wrap items-center gap-4">
          <Input type="search" aria-label="Find a setting" placeholder="Find a setting" className="w-full sm:w-64" value={words} onChange={(event) => setWords(event.target.value)} />
          <label className="flex cursor-pointer items-center gap-2 text-sm">
            <Checkbox checked={changed} onCheckedChange={(on) => setChanged(on === true)} />
            Only those that are set
          </label>
        </CardBody>
        <DataTable
          sortWord="by"
          label="Settings"
          columns={columns}
          rows={shown}
          rowKey={(one) => one.name}
          pageSize={20}
          empty={<Empty icon={Settings2} title="No setting is like that">Look for a part of its name, or of its variable.</Empty>}
        />
        <CardBody>
          <Note>Limits of a project stand in its own settings, those of a plugin beside it; these hold where neither says otherwise.</Note>
        </CardBody>
      </Card>
    </>
  );
}
