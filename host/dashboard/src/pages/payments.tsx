import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Banknote, Download } from "lucide-react";
import { type FormEvent, useMemo, useState } from "react";
import { pluginAddress } from "@/api/client";
import { installationQuery } from "@/api/queries";
import { type Col, DataTable } from "@/components/data-table";
import { NeedsPlugin, usePluginOn } from "@/components/needs-plugin";
import { PageHeader } from "@/components/page";
import { PaymentDay } from "@/components/payment-day";
import { type Payment, accountsOf, dayThere, kinds, paymentsQuery, shillings, statuses, there } from "@/components/payment-queries";
import { PaymentSettings } from "@/components/payment-settings";
import { PaymentBadge, PaymentSheet } from "@/components/payment-sheet";
import { Empty, Failure, Loading } from "@/components/states";
import { Cut, When } from "@/components/text";
import { Button } from "@/components/ui/button";
import { Card } from "@/components/ui/card";
import { DialogContent, DialogRoot } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input, Select } from "@/components/ui/input";
import { Tab, TabPanel, Tabs, TabsList } from "@/components/ui/tabs";
import { useCursorPages, useWords } from "@/lib/pages";
import { useProject } from "@/lib/use-project";

const searched = ["phone", "receipt_number", "account_reference"] as const;
const filters = ["status", "kind", "account", "from", "to", ...searched] as const;

/** Which of its fields a text is looked for in. */
function fieldOf(text: string): (typeof searched)[number] {
  if (/^(\+?254|0)[\d\s-]{8,}$/.test(text)) return "phone";
  return /^(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9]{10}$/.test(text) ? "receipt_number" : "account_reference";
}

function Export({ project, accounts, from, to, account, close }: { project: string; accounts: string[]; from: string; to: string; account: string; close: () => void }) {
  const [first, setFirst] = useState(from);
  const [last, setLast] = useState(to);
  const [of, setOf] = useState(account);
  const address = pluginAddress(project, "/mpesa/export", { from: first, to: last, account: of });
  return (
    <DialogRoot open onOpenChange={(open) => !open && close()}>
      <DialogContent
        title="Export payments"
        description="As CSV, days in East Africa Time. Cells that a spreadsheet would take for a formula are disarmed."
        footer={
          <>
            <Button onClick={close}>Cancel</Button>
            <Button asChild variant="primary">
              <a href={address.href} download onClick={close}>
                <Download aria-hidden /> Download
              </a>
            </Button>
          </>
        }
      >
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label="First day" help="Empty: from the beginning.">
            <Input type="date" value={first} onChange={(event) => setFirst(event.target.value)} />
          </Field>
          <Field label="Last day" help="Empty: until now.">
            <Input type="date" value={last} onChange={(event) => setLast(event.target.value)} />
          </Field>
          <Field label="Shortcode">
            <Select value={of} onChange={(event) => setOf(event.target.value)}>
              <option value="">All</option>
              {accounts.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </Select>
          </Field>
        </div>
      </DialogContent>
    </DialogRoot>
  );
}

function Transactions({ project, accounts }: { project: string; accounts: string[] }) {
  const [words, change] = useWords<(typeof filters)[number] | "pages" | "payment">();
  const { cursor, pager } = useCursorPages();
  const filter = Object.fromEntries(filters.map((name) => [name, words[name]]));
  const { data, error, refetch, isPlaceholderData } = useQuery({ ...paymentsQuery(project, filter, cursor), placeholderData: keepPreviousData });
  const [exporting, setExporting] = useState(false);
  const filtered = filters.some((name) => words[name]);
  const sought = searched.map((name) => words[name]).find(Boolean) ?? "";
  const set = (part: { [name in (typeof filters)[number]]?: string | undefined }) => change({ ...part, pages: undefined });
  const search = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const text = String(new FormData(event.currentTarget).get("text") ?? "").trim();
    set({ phone: undefined, receipt_number: undefined, account_reference: undefined, ...(text ? { [fieldOf(text)]: text } : {}) });
  };
  const columns = useMemo<Col<Payment>[]>(
    () => [
      {
        id: "amount",
        head: "Amount",
        sort: (one) => one.amount,
        cell: (one) => (
          <button type="button" className="block text-left whitespace-nowrap" onClick={() => change({ payment: one.id })}>
            <span className="block font-medium tabular-nums hover:underline">{shillings(one.amount)}</span>
            <span className="block text-xs text-muted">{kinds[one.kind] ?? one.kind}</span>
          </button>
        ),
      },
      { id: "status", head: "State", sort: (one) => statuses[one.status]?.[1] ?? one.status, cell: (one) => <PaymentBadge status={one.status} /> },
      { id: "phone", head: "Phone", wide: true, sort: (one) => one.phone_number, cell: (one) => (one.phone_number ? <Cut text={one.phone_number} mono className="max-w-36" /> : "–") },
      { id: "reference", head: "Account number", wide: true, sort: (one) => one.account_reference, cell: (one) => (one.account_reference ? <Cut text={one.account_reference} className="max-w-40" /> : "–") },
      { id: "receipt", head: "Receipt", wide: true, sort: (one) => one.receipt_number, cell: (one) => (one.receipt_number ? <Cut text={one.receipt_number} mono /> : "–") },
      ...(accounts.length > 1 ? [{ id: "account", head: "Shortcode", wide: true, sort: (one: Payment) => one.account, cell: (one: Payment) => one.account }] : []),
      {
        id: "at",
        head: "Begun",
        sort: (one) => one.created_at,
        cell: (one) => (
          <span className="block text-xs whitespace-nowrap">
            <When at={one.created_at} />
            <span className="hidden text-muted tabular-nums sm:block">{there(one.created_at)} EAT</span>
          </span>
        ),
      },
    ],
    [accounts.length, change],
  );
  return (
    <>
      <Card>
        <div className="flex flex-wrap items-center gap-2 border-b border-border p-3">
          <form className="w-full sm:w-64" onSubmit={search}>
            <Input key={sought} name="text" type="search" aria-label="Search payments" placeholder="Phone, receipt or account number" defaultValue={sought} />
          </form>
          <Select aria-label="State" className="w-40" value={words.status ?? ""} onChange={(event) => set({ status: event.target.value || undefined })}>
            <option value="">All states</option>
            {Object.entries(statuses).map(([value, [, name]]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </Select>
          <Select aria-label="Kind" className="w-36" value={words.kind ?? ""} onChange={(event) => set({ kind: event.target.value || undefined })}>
            <option value="">All kinds</option>
            {Object.entries(kinds).map(([value, name]) => (
              <option key={value} value={value}>
                {name}
              </option>
            ))}
          </Select>
          {accounts.length > 1 && (
            <Select aria-label="Shortcode" className="w-40" value={words.account ?? ""} onChange={(event) => set({ account: event.target.value || undefined })}>
              <option value="">All shortcodes</option>
              {accounts.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </Select>
          )}
          <span className="flex items-center gap-1">
            <Input type="date" aria-label="From" className="w-36" max={words.to ?? dayThere()} value={words.from ?? ""} onChange={(event) => set({ from: event.target.value || undefined })} />
            <span className="text-muted">–</span>
            <Input type="date" aria-label="To" className="w-36" min={words.from} value={words.to ?? ""} onChange={(event) => set({ to: event.target.value || undefined })} />
          </span>
          {filtered && (
            <Button size="sm" variant="ghost" onClick={() => set(Object.fromEntries(filters.map((name) => [name, undefined])))}>
              Without filters
            </Button>
          )}
          <Button size="sm" className="ml-auto" onClick={() => setExporting(true)}>
            <Download aria-hidden /> Export
          </Button>
        </div>
        <DataTable
          sortWord="by"
          label="Payments"
          columns={columns}
          rows={data?.items}
          error={error}
          retry={() => void refetch()}
          stale={isPlaceholderData}
          rowKey={(one) => one.id}
          pager={pager(data?.next_cursor)}
          empty={
            <Empty icon={Banknote} title={filtered ? "No payment is like that" : "No payments yet"}>
              {filtered ? "Take a filter out, or look for something else." : "They come when an app asks a customer to pay, or a customer pays from the phone's menu."}
            </Empty>
          }
        />
      </Card>
      {exporting && <Export project={project} accounts={accounts} from={words.from ?? ""} to={words.to ?? ""} account={words.account ?? ""} close={() => setExporting(false)} />}
    </>
  );
}

function Parts({ project }: { project: string }) {
  const [words, change] = useWords<"tab" | "payment" | "pages">();
  const { data, error, refetch } = useQuery({ ...installationQuery(project, "mpesa"), refetchInterval: 10_000 });
  if (error && !data) {
    return (
      <Card>
        <Failure error={error} retry={() => void refetch()} />
      </Card>
    );
  }
  if (!data) {
    return (
      <Card>
        <Loading />
      </Card>
    );
  }
  const accounts = accountsOf(data.config as Record<string, unknown>);
  return (
    <>
      <Tabs value={words.tab ?? "payments"} onValueChange={(tab) => change({ tab: tab === "payments" ? undefined : tab, pages: undefined })}>
        <TabsList aria-label="Payments">
          <Tab value="payments">Payments</Tab>
          <Tab value="day">Reconciliation</Tab>
          <Tab value="settings">Settings</Tab>
        </TabsList>
        <TabPanel value="payments">
          <Transactions project={project} accounts={accounts} />
        </TabPanel>
        <TabPanel value="day">
          <PaymentDay project={project} accounts={accounts} />
        </TabPanel>
        <TabPanel value="settings">
          <PaymentSettings project={project} installed={data} />
        </TabPanel>
      </Tabs>
      {words.payment && (
        <PaymentSheet key={words.payment} project={project} id={words.payment} close={() => change({ payment: undefined })} open={(payment) => change({ payment })} />
      )}
    </>
  );
}

export function Payments() {
  const project = useProject();
  const on = usePluginOn(project, "mpesa");
  return (
    <>
      <PageHeader title="Payments" description={on === false ? undefined : "By M-Pesa: what customers were asked for and paid, and what went out."} />
      <NeedsPlugin project={project} name="mpesa" icon={Banknote} title="The plugin for payments is not on" what="Install mpesa: then customers are asked to pay by a prompt on their phone, and every payment is told here.">
        <Parts project={project} />
      </NeedsPlugin>
    </>
  );
}
