/** The settings of payments: shortcodes with a test of each, the environment, and the rules. */
import { useQuery } from "@tanstack/react-query";
import { CircleCheck, CircleX, PlugZap, Plus, Trash2, Webhook } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { plugin, reason } from "@/api/client";
import { type Installation, revisionsQuery } from "@/api/queries";
import { milliseconds } from "@/lib/format";
import { refused } from "@/lib/tags";
import { useDraft } from "@/lib/use-draft";
import { Changed } from "./changed";
import { Confirm } from "./confirm";
import { type Config, JsonForm, type Schema, problemsOf } from "./json-form";
import { type Finding, accountsOf } from "./payment-queries";
import { auditOf, put } from "./plugin-parts";
import { Failure, Loading, Refusal } from "./states";
import { Badge } from "./ui/badge";
import { Button } from "./ui/button";
import { Card, CardBody, CardHeader } from "./ui/card";
import { Field } from "./ui/field";
import { Input, Select } from "./ui/input";

/** What the server shows in place of a secret that is set. */
const hidden = "********";

/** What belongs to one shortcode; the rest of the schema is drawn as it comes. */
const own = ["consumer_key", "consumer_secret", "shortcode", "till", "passkey", "transaction_type", "initiator_name", "security_credential"];
const around = ["environment", "base_url", "callback_url"];

type Part = Record<string, unknown>;

const without = (part: Part, name: string): Part => {
  const { [name]: _, ...rest } = part;
  return rest;
};

function Secret({ label, help, value, change, required }: { label: string; help?: string; value: unknown; change: (value: string | undefined) => void; required?: boolean }) {
  const kept = value === hidden;
  return (
    <Field label={label} help={help}>
      <Input
        type="password"
        autoComplete="new-password"
        required={(required ?? false) && !kept}
        placeholder={kept ? "set; stays unless you type another" : "not set"}
        value={kept || value === undefined ? "" : String(value)}
        onChange={(event) => change(event.target.value === "" ? undefined : event.target.value)}
      />
    </Field>
  );
}

function Test({ project, account, dirty }: { project: string; account: string; dirty: boolean }) {
  const [found, setFound] = useState<Finding>();
  const [error, setError] = useState<unknown>();
  const [pending, setPending] = useState(false);
  const [registering, setRegistering] = useState(false);
  return (
    <div className="grid gap-3 border-t border-border bg-raised/30 px-4 py-3">
      <div className="flex flex-wrap items-center gap-2">
        <Button
          size="sm"
          pending={pending}
          disabled={dirty}
          title={dirty ? "Save first: what is saved is tested" : undefined}
          onClick={async () => {
            setPending(true);
            setError(undefined);
            setFound(undefined);
            try {
              setFound(await plugin<Finding>(project, "/mpesa/check", { method: "POST", json: { account } }));
            } catch (failure) {
              setError(failure);
            } finally {
              setPending(false);
            }
          }}
        >
          <PlugZap aria-hidden /> Test the connection
        </Button>
        <Button size="sm" variant="ghost" disabled={dirty} onClick={() => setRegistering(true)}>
          <Webhook aria-hidden /> Take payments from the menu…
        </Button>
        {dirty && <span className="text-xs text-muted">Save first: what is saved is tested.</span>}
      </div>
      <div role="status" aria-label={`Test of ${account}`} className="contents">
        {found && (
          <div className={`grid gap-1 rounded-md px-3 py-2 text-[0.8125rem] ${found.ok ? "bg-good-soft text-good" : "bg-bad-soft text-bad"}`}>
            <p className="flex items-start gap-2 font-medium">
              {found.ok ? <CircleCheck className="mt-0.5 size-4 shrink-0" aria-hidden /> : <CircleX className="mt-0.5 size-4 shrink-0" aria-hidden />}
              {found.ok ? `It works: the keys were taken in ${milliseconds(Math.max(1, found.took_ms))}.` : reason(found.advice ?? "it does not work")}
            </p>
            <p className="pl-6 text-xs break-words">
              {found.environment}, {found.address}, shortcode {found.shortcode}.{" "}
              {found.ok &&
                `${found.can_push ? "Pushes have a passkey" : "There is no passkey, so nothing can be pushed"}; ${
                  found.can_pay_out ? "payouts have an initiator" : "without an initiator and its credential nothing is paid out"
                }.`}
            </p>
          </div>
        )}
      </div>
      <Refusal error={error} />
      <Confirm
        open={registering}
        onOpenChange={setRegistering}
        title="Take payments from the phone's menu?"
        action="Register the addresses"
        danger={false}
        run={async () => {
          await plugin(project, "/mpesa/c2b/register", { method: "POST", json: { account } });
          toast.success("Safaricom tells of payments from the menu now");
        }}
      >
        <p>Safaricom is told where this project hears of payments to the shortcode. In production it takes such addresses once: they have to be deleted in its portal before others can be registered.</p>
      </Confirm>
    </div>
  );
}

function Shortcode({
  project,
  name,
  title,
  value,
  change,
  remove,
  dirty,
  isNew,
}: {
  project: string;
  name: string;
  title: string;
  value: Part;
  change: (value: Part) => void;
  remove?: () => void;
  dirty: boolean;
  isNew: boolean;
}) {
  const text = (key: string) => String(value[key] ?? "");
  const set = (key: string, next: string | undefined) => change(next === undefined || next === "" ? without(value, key) : { ...value, [key]: next });
  const input = (key: string, label: string, extra: { help?: string; required?: boolean; pattern?: string; placeholder?: string } = {}) => (
    <Field label={label} help={extra.help}>
      <Input
        autoComplete="off"
        spellCheck={false}
        required={extra.required ?? false}
        {...(extra.pattern ? { pattern: extra.pattern, title: "5 to 7 digits" } : {})}
        placeholder={extra.placeholder}
        value={text(key)}
        onChange={(event) => set(key, event.target.value)}
      />
    </Field>
  );
  return (
    <Card aria-label={`Shortcode ${title}`}>
      <CardHeader
        title={
          <span className="flex flex-wrap items-center gap-2">
            {title} {text("shortcode") && <Badge className="font-mono">{text("shortcode")}</Badge>}
          </span>
        }
        actions={
          remove && (
            <Button size="icon-sm" variant="ghost" aria-label={`Remove the shortcode ${title}`} onClick={remove}>
              <Trash2 aria-hidden />
            </Button>
          )
        }
      />
      <CardBody className="grid gap-4 sm:grid-cols-2">
        {input("shortcode", "Paybill, or the number of the store", { required: name !== "default" || text("consumer_key") !== "", pattern: "[0-9]{5,7}", placeholder: "174379" })}
        <Field label="What customers pay to">
          <Select value={text("transaction_type")} onChange={(event) => set("transaction_type", event.target.value)}>
            <option value="">{name === "default" ? "A paybill" : "As the first shortcode"}</option>
            <option value="CustomerPayBillOnline">A paybill</option>
            <option value="CustomerBuyGoodsOnline">A till, for goods</option>
          </Select>
        </Field>
        {name !== "default" && (
          <Field label="Environment">
            <Select value={text("environment")} onChange={(event) => set("environment", event.target.value)}>
              <option value="">As above</option>
              <option value="sandbox">sandbox</option>
              <option value="production">production</option>
              <option value="custom">custom</option>
            </Select>
          </Field>
        )}
        {input("consumer_key", "Consumer key", { required: name !== "default" })}
        <Secret label="Consumer secret" value={value.consumer_secret} change={(next) => set("consumer_secret", next)} />
        <Secret label="Passkey" help="For pushes." value={value.passkey} change={(next) => set("passkey", next)} />
        {input("till", "Till", { help: "For goods, where it differs from the number of the store.", pattern: "[0-9]{5,7}" })}
        {input("initiator_name", "Initiator", { help: "For payouts, reversals and questions." })}
        <Secret label="The initiator's security credential" help="The password as the portal encrypts it." value={value.security_credential} change={(next) => set("security_credential", next)} />
      </CardBody>
      {!isNew && <Test project={project} account={name} dirty={dirty} />}
    </Card>
  );
}

export function PaymentSettings({ project, installed }: { project: string; installed: Installation }) {
  const revisions = useQuery(revisionsQuery("mpesa"));
  const [draft, setDraft, dirty, overtaken, reset, settled] = useDraft(installed.config as Config, installed.generation);
  const [errors, setErrors] = useState<Record<string, string>>({});
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  const [name, setName] = useState("");
  const catalogue = revisions.data;
  const revision = catalogue?.revisions.find((one) => one.id === installed.revision) ?? (catalogue?.id === installed.revision ? catalogue : undefined);
  const schema = revision?.config_schema as Schema | null | undefined;
  if (revisions.error && !revisions.data) {
    return (
      <Card>
        <Failure error={revisions.error} retry={() => void revisions.refetch()} />
      </Card>
    );
  }
  if (!schema) return <Loading />;
  const parts = Object.entries(schema.properties ?? {});
  const some = (names: (key: string) => boolean): Schema => ({ ...schema, properties: Object.fromEntries(parts.filter(([key]) => names(key))) });
  const rules = some((key) => !around.includes(key) && !own.includes(key) && key !== "accounts");
  const accounts = (draft.accounts ?? {}) as Record<string, Part>;
  const custom = [draft as Part, ...Object.values(accounts)].some((part) => part.environment === "custom");
  const environment = some((key) => around.includes(key) && (key !== "base_url" || custom));
  const saved = accountsOf(installed.config as Config);
  const setAccounts = (next: Record<string, Part>) => setDraft(Object.keys(next).length === 0 ? without(draft, "accounts") : { ...draft, accounts: next });
  const top = Object.fromEntries(own.filter((key) => draft[key] !== undefined).map((key) => [key, draft[key]]));
  const change = (next: Config) => {
    setDraft(next);
    if (Object.keys(errors).length > 0) setErrors(problemsOf(schema, next));
  };
  const valid = /^[a-z][a-z0-9_-]{0,31}$/.test(name) && name !== "default" && accounts[name] === undefined;
  return (
    <form
      className="grid gap-4"
      onSubmit={async (event) => {
        // Dialogs that are opened from here have forms of their own.
        if (event.target !== event.currentTarget) return;
        event.preventDefault();
        const found = problemsOf(schema, draft);
        setErrors(found);
        if (Object.keys(found).length > 0) return;
        setPending(true);
        setError(undefined);
        try {
          await put(project, "mpesa", { config: draft as Record<string, never> }, installed.etag);
          settled();
          toast.success("Saved. It holds on every node, without a restart");
        } catch (failure) {
          refused(failure, setError);
        } finally {
          setPending(false);
        }
      }}
    >
      {overtaken && <Changed what="plugin" of={auditOf(project, "mpesa")} {...overtaken} />}
      <Card>
        <CardHeader title="Environment" description="Keys and passkeys of one are worth nothing in the other." />
        <CardBody className="grid max-w-2xl gap-5">
          <JsonForm schema={environment} value={draft} errors={errors} change={change} />
        </CardBody>
      </Card>
      <div className="grid items-start gap-4 2xl:grid-cols-2">
        <Shortcode
          project={project}
          name="default"
          title="default"
          value={top}
          isNew={false}
          dirty={dirty}
          change={(next) => setDraft({ ...Object.fromEntries(Object.entries(draft).filter(([key]) => !own.includes(key))), ...next })}
        />
        {Object.entries(accounts).map(([key, value]) => (
          <Shortcode
            key={key}
            project={project}
            name={key}
            title={key}
            value={value}
            isNew={!saved.includes(key)}
            dirty={dirty}
            change={(next) => setAccounts({ ...accounts, [key]: next })}
            remove={() => setAccounts(without(accounts, key) as Record<string, Part>)}
          />
        ))}
      </div>
      <Card>
        <CardHeader title="Another shortcode" description="Apps say by its name which one a payment goes to." />
        <CardBody className="flex flex-wrap items-end gap-2">
          <Field label="Its name" className="w-60">
            <Input autoComplete="off" spellCheck={false} placeholder="shop-two" value={name} onChange={(event) => setName(event.target.value)} />
          </Field>
          <Button
            disabled={!valid}
            onClick={() => {
              setAccounts({ ...accounts, [name]: {} });
              setName("");
            }}
          >
            <Plus aria-hidden /> Add
          </Button>
        </CardBody>
      </Card>
      <Card>
        <CardHeader title="Rules" description="Callbacks, questions, limits, and payments from the phone's menu." />
        <CardBody className="grid max-w-2xl gap-5">
          <JsonForm schema={rules} value={draft} errors={errors} change={change} />
        </CardBody>
      </Card>
      <Refusal error={error} />
      <footer className="sticky bottom-0 -mx-4 flex flex-row-reverse gap-2 border-t border-border bg-background px-4 py-3 sm:mx-0 sm:px-0">
        <Button type="submit" variant="primary" pending={pending} disabled={!dirty}>
          Save
        </Button>
        <Button disabled={!dirty || pending} onClick={reset}>
          Undo changes
        </Button>
      </footer>
    </form>
  );
}
