/** A day's payments put together: what came in, what went out, and what does not fit. */
import { useQuery } from "@tanstack/react-query";
import { ChevronLeft, ChevronRight, CircleCheck, FileUp, Scale } from "lucide-react";
import { useMemo, useRef, useState } from "react";
import { plugin } from "@/api/client";
import { parseCsv } from "@/lib/download";
import { count, plural } from "@/lib/format";
import { useWords } from "@/lib/pages";
import { type Col, DataTable } from "./data-table";
import { type Difference, type Report, dayAfter, dayInWords, dayThere, kinds, reasons, reportQuery, shillings } from "./payment-queries";
import { PaymentBadge } from "./payment-sheet";
import { Stat } from "./stat";
import { Empty, Note, Refusal } from "./states";
import { Button } from "./ui/button";
import { Card, CardHeader } from "./ui/card";
import { Input, Select } from "./ui/input";

const problems: Record<string, string> = {
  needs_review: "A person has to look",
  open: "Not decided yet",
  receipt_missing: "Money moved without a receipt",
  not_in_ledger: "Paid, but not in the ledger",
  callback_not_applied: "What was told does not fit",
  missing_here: "In the statement, not here",
  missing_there: "Here, not in the statement",
  amount_differs: "Another amount in the statement",
};

const details: Record<string, string> = {
  ...reasons,
  unreadable: "It could not be read.",
  other_id: "It is of another payment.",
  other_receipt: "It names another receipt.",
};

/** The lines of a statement: Safaricom's, or any with a receipt and an amount. */
function linesOf(text: string): { receipt_number: string; amount: string }[] {
  const rows = parseCsv(text);
  const plain = (name: string) => name.toLowerCase().replace(/[^a-z]/g, "");
  const at = rows.findIndex((row) => row.some((cell) => /^(receipt|receiptno|receiptnumber|transactionid|transid)$/.test(plain(cell))));
  const head = rows[at]?.map(plain) ?? [];
  const receipt = head.findIndex((name) => /^(receipt|receiptno|receiptnumber|transactionid|transid)$/.test(name));
  const into = head.findIndex((name) => /^(paidin|amount|transamount|received)$/.test(name));
  const out = head.findIndex((name) => name === "withdrawn");
  if (receipt < 0 || into < 0) throw new Error("the file has no columns for a receipt and an amount, such as “Receipt No.” and “Paid In”");
  const clean = (text: string | undefined) => (text ?? "").replaceAll(",", "").trim();
  return rows.slice(at + 1).flatMap((row) => {
    const number = row[receipt]?.trim();
    const paid = clean(row[into]);
    const went = clean(row[out]).replace(/^-/, "");
    if (!number) return [];
    return [{ receipt_number: number, amount: paid && Number(paid) !== 0 ? paid : went && Number(went) !== 0 ? `-${went}` : paid || "0" }];
  });
}

export function PaymentDay({ project, accounts }: { project: string; accounts: string[] }) {
  const [words, change] = useWords<"day" | "account" | "payment">();
  const today = dayThere();
  const day = words.day ?? today;
  const asked = useQuery(reportQuery(project, day, words.account));
  const [compared, setCompared] = useState<{ report: Report; name: string; lines: number; account: string | undefined }>();
  const [error, setError] = useState<unknown>();
  const [pending, setPending] = useState(false);
  const file = useRef<HTMLInputElement>(null);
  const holds = compared?.report.day === day && compared.account === words.account ? compared : undefined;
  const report = holds?.report ?? asked.data;
  const columns = useMemo<Col<Difference>[]>(
    () => [
      { id: "problem", head: "What", sort: (one) => one.problem, cell: (one) => <span className="font-medium text-warn">{problems[one.problem] ?? one.problem}</span> },
      { id: "receipt", head: "Receipt", sort: (one) => one.receipt_number, cell: (one) => <span className="font-mono text-xs">{one.receipt_number ?? "–"}</span> },
      {
        id: "detail",
        head: "More",
        wide: true,
        cell: (one) => (one.detail === null ? null : <span className="text-xs text-muted">{details[one.detail] ?? (/^-?[\d.]+$/.test(one.detail) ? `${shillings(one.detail)} in the statement` : one.detail)}</span>),
      },
      {
        id: "payment",
        head: "Payment",
        hiddenHead: true,
        cell: (one) =>
          one.transaction_id && (
            <Button size="sm" variant="link" onClick={() => change({ payment: one.transaction_id ?? undefined })}>
              Look at it
            </Button>
          ),
      },
    ],
    [change],
  );
  const go = (next: string) => change({ day: next === today ? undefined : next });
  return (
    <div className="grid gap-4">
      <div className="flex flex-wrap items-center gap-2">
        <Button size="icon" aria-label="The day before" onClick={() => go(dayAfter(day, -1))}>
          <ChevronLeft aria-hidden />
        </Button>
        <Input type="date" aria-label="Day" className="w-40" max={today} value={day} onChange={(event) => event.target.value && go(event.target.value)} />
        <Button size="icon" aria-label="The day after" disabled={day >= today} onClick={() => go(dayAfter(day, 1))}>
          <ChevronRight aria-hidden />
        </Button>
        {accounts.length > 1 && (
          <Select aria-label="Shortcode" className="w-44" value={words.account ?? ""} onChange={(event) => change({ account: event.target.value || undefined })}>
            <option value="">All shortcodes</option>
            {accounts.map((name) => (
              <option key={name}>{name}</option>
            ))}
          </Select>
        )}
        <Button className="sm:ml-auto" pending={pending} onClick={() => file.current?.click()}>
          <FileUp aria-hidden /> Compare with a statement
        </Button>
        <input
          ref={file}
          type="file"
          accept=".csv,text/csv"
          aria-label="Statement"
          className="sr-only"
          tabIndex={-1}
          onChange={async (event) => {
            const chosen = event.target.files?.[0];
            event.target.value = "";
            if (!chosen) return;
            setPending(true);
            setError(undefined);
            try {
              const statement = linesOf(await chosen.text());
              const account = words.account;
              const answer = await plugin<Report>(project, "/mpesa/reconciliation", { method: "POST", json: { day, statement, ...(account ? { account } : {}) } });
              setCompared({ report: answer, name: chosen.name, lines: statement.length, account });
            } catch (failure) {
              setError(failure);
            } finally {
              setPending(false);
            }
          }}
        />
      </div>
      <p className="text-[0.8125rem] text-muted">{dayInWords(day)}, from midnight to midnight in East Africa Time.</p>
      <Refusal error={error} />
      {holds && (
        <Note className="flex flex-wrap items-center gap-3">
          <span className="flex-1">
            Compared with {plural(holds.lines, "line")} of {holds.name}.
          </span>
          <Button size="sm" onClick={() => setCompared(undefined)}>
            Without the statement
          </Button>
        </Note>
      )}
      <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
        <Stat name="Came in" value={report && shillings(report.money_in.amount)} note={report && plural(report.money_in.count, "payment")} />
        <Stat name="Went out" value={report && shillings(report.money_out.amount)} note={report && plural(report.money_out.count, "payment")} />
        <Stat name="Net" value={report && shillings(report.net)} />
        <Stat
          name="Balance"
          value={report && (report.balanced ? "It fits" : plural(report.differences.length, "difference"))}
          note={report && (report.balanced ? "nothing is open or doubtful" : "see below")}
          {...(report && !report.balanced ? { tone: "warn" as const } : {})}
        />
      </div>
      <div className="grid items-start gap-4 xl:grid-cols-[2fr_3fr]">
        <Card>
          <CardHeader title="By kind" description="By the day on which they began." />
          <DataTable
            label="Payments by kind"
            columns={[
              { id: "kind", head: "Kind", cell: (line) => kinds[line.kind] ?? line.kind },
              { id: "status", head: "State", cell: (line) => <PaymentBadge status={line.status} /> },
              { id: "count", head: "How many", className: "text-right", cell: (line) => <span className="tabular-nums">{count(line.count)}</span> },
              { id: "amount", head: "Amount", className: "text-right", cell: (line) => <span className="whitespace-nowrap tabular-nums">{shillings(line.amount)}</span> },
            ]}
            rows={report?.transactions}
            error={asked.error}
            retry={() => void asked.refetch()}
            rowKey={(line) => `${line.kind}/${line.status}`}
            empty={<Empty icon={Scale} title="No payments on this day" className="py-8" />}
          />
        </Card>
        <Card>
          <CardHeader title="What does not fit" description="Payments that are open or doubtful, and what the ledger and the statement disagree about." />
          <DataTable
            label="Differences"
            columns={columns}
            rows={report?.differences}
            error={asked.error}
            retry={() => void asked.refetch()}
            rowKey={(one) => `${one.problem}/${one.transaction_id}/${one.receipt_number}/${one.detail}`}
            empty={
              <Empty icon={CircleCheck} title="Everything fits" className="py-8">
                {holds ? "The ledger and the statement agree." : "Compare it with Safaricom's statement to be sure."}
              </Empty>
            }
          />
        </Card>
      </div>
    </div>
  );
}
