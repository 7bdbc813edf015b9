import { Smartphone } from "lucide-react";
import { useState } from "react";
import { Dialog } from "@/components/dialog";
import { Field, Form, Problem, text } from "@/components/form";
import { More } from "@/components/more";
import { Empty, Failed, Waiting } from "@/components/states";
import { Title } from "@/components/title";
import { say } from "@/components/toast";
import { type Key, t } from "@/i18n";
import { call } from "@/lib/api";
import { money, whole } from "@/lib/format";
import { client, useSettings, useTransactions } from "@/lib/queries";
import type { Transaction } from "@/lib/types";

const states: Record<string, { label: Key; look: string }> = {
  created: { label: "pay_pending", look: "bg-warn-soft text-warn" },
  pending: { label: "pay_pending", look: "bg-warn-soft text-warn" },
  succeeded: { label: "pay_succeeded", look: "bg-good-soft text-good" },
  failed: { label: "pay_failed", look: "bg-bad-soft text-bad" },
  cancelled: { label: "pay_cancelled", look: "bg-raised text-foreground" },
  timed_out: { label: "pay_timed_out", look: "bg-raised text-foreground" },
  needs_review: { label: "pay_review", look: "bg-warn-soft text-warn" },
};

export default function PaymentsPage() {
  const payments = useTransactions();
  const [paying, setPaying] = useState(false);
  return (
    <>
      <Title
        actions={
          <button type="button" className="button button-primary" onClick={() => setPaying(true)}>
            <Smartphone size={18} aria-hidden />
            {t("pay")}
          </button>
        }
      >
        {t("payments")}
      </Title>
      {payments.isError ? (
        <Failed error={payments.error} again={() => void payments.refetch()} />
      ) : payments.data ? (
        payments.data.items.length > 0 ? (
          <ul className="divide-y divide-border px-4 md:px-6" aria-label={t("payments")}>
            {payments.data.items.map((payment) => (
              <Row key={payment.id} payment={payment} />
            ))}
          </ul>
        ) : (
          <Empty icon={<Smartphone size={30} aria-hidden />} title={t("no_payments")}>
            {t("no_payments_text")}
          </Empty>
        )
      ) : (
        <Waiting />
      )}
      <More on={payments.hasNextPage && !payments.isFetchNextPageError} more={() => void payments.fetchNextPage()} />
      {paying && <Pay close={() => setPaying(false)} />}
    </>
  );
}

function Row({ payment }: { payment: Transaction }) {
  const state = states[payment.status];
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-1 py-3">
      <span className="min-w-0 flex-1">
        <span className="block font-semibold tabular-nums">{payment.amount === null ? "" : money(payment.amount)}</span>
        <span className="block text-sm text-muted [overflow-wrap:anywhere]">
          {[payment.account_reference, payment.phone_number, payment.receipt_number].filter(Boolean).join(" · ")}
        </span>
        {payment.result_desc && payment.status !== "succeeded" && <span className="block text-sm text-muted">{payment.result_desc}</span>}
      </span>
      <span className="text-right">
        <span className={`chip ${state?.look ?? ""}`}>{state ? t(state.label) : payment.status}</span>
        <time className="mt-1 block text-sm text-muted" dateTime={payment.created_at}>
          {whole(payment.created_at)}
        </time>
      </span>
    </li>
  );
}

function Pay({ close }: { close: () => void }) {
  const settings = useSettings();
  // Sent again after a broken line, it is still one payment.
  const [key] = useState(() => crypto.randomUUID());
  return (
    <Dialog
      title={t("pay_title")}
      onClose={close}
      footer={
        <>
          <button type="button" className="button" onClick={close}>
            {t("cancel")}
          </button>
          <button type="submit" form="pay" className="button button-primary">
            {t("pay_ask")}
          </button>
        </>
      }
    >
      <Form
        id="pay"
        onSend={async (fields) => {
          await call("POST", "/mpesa/stkpush", {
            json: { phone: text(fields, "phone").replace(/[\s-]/g, ""), amount: Number(text(fields, "amount")), account_reference: text(fields, "reference").trim() },
            headers: { "idempotency-key": key },
          });
          await client.invalidateQueries({ queryKey: ["payments"] });
          say(t("pay_asked"));
          close();
        }}
      >
        {({ problem }) => (
          <>
            <p className="text-muted">{t("pay_text")}</p>
            <Field label={t("phone")} name="phone" type="tel" autoComplete="tel" inputMode="tel" placeholder="0712 345 678" required autoFocus />
            <Field label={t("amount")} name="amount" type="number" inputMode="numeric" min={1} step={1} required />
            <Field label={t("pay_for")} name="reference" maxLength={12} defaultValue={settings.data?.pay_reference ?? ""} required />
            <Problem text={problem} />
          </>
        )}
      </Form>
    </Dialog>
  );
}
