/** One payment: what it is, how it came about, and what a person can do about it. */
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleHelp, Undo2 } from "lucide-react";
import { useState } from "react";
import { toast } from "sonner";
import { plugin } from "@/api/client";
import { moment } from "@/lib/format";
import { useAction } from "@/lib/use-action";
import { Confirm } from "./confirm";
import { type Payment, type Status, type Transition, kinds, paymentQuery, reasons, refreshPayments, shillings, statuses, storyQuery, there } from "./payment-queries";
import { Failure, Loading, Note, Refusal } from "./states";
import { Code, CopyButton } from "./text";
import { Badge, Dot } from "./ui/badge";
import { Button } from "./ui/button";
import { DialogContent, DialogRoot } from "./ui/dialog";
import { Field } from "./ui/field";
import { Input, Select, Textarea } from "./ui/input";

export function PaymentBadge({ status }: { status: Status }) {
  const [tone, word] = statuses[status] ?? ["plain" as const, status];
  return (
    <Badge tone={tone}>
      <Dot tone={tone} /> {word}
    </Badge>
  );
}

const told: Record<string, string> = {
  call: "An app asked for it",
  answer: "Safaricom answered the request",
  callback: "Safaricom told what came of it",
  confirmation: "Safaricom told of it as a payment from the menu",
  pull: "It was among the payments that Safaricom was asked for",
  query: "Safaricom was asked what came of it",
  timer: "The time for an answer was up",
  person: "Somebody settled it by hand",
};

const dots = { plain: "bg-muted", accent: "bg-primary", good: "bg-good", warn: "bg-warn", bad: "bg-bad" };

function Story({ steps }: { steps: Transition[] }) {
  return (
    <ol aria-label="Story" className="grid">
      {steps.map((step, place) => {
        const [tone, word] = statuses[step.to] ?? ["plain" as const, step.to];
        return (
          <li key={step.id} className="grid grid-cols-[0.75rem_1fr] gap-x-3">
            <span aria-hidden className="relative flex justify-center">
              <span className={`z-10 mt-1.5 size-2.5 rounded-full ring-4 ring-panel ${dots[tone]}`} />
              {place < steps.length - 1 && <span className="absolute top-3 bottom-[-0.5rem] w-px bg-border" />}
            </span>
            <div className="min-w-0 pb-4">
              <p className="flex flex-wrap items-baseline justify-between gap-x-3 text-sm font-medium">
                {word.charAt(0).toUpperCase() + word.slice(1)}
                <time dateTime={step.at} title={moment(step.at)} className="text-xs font-normal text-muted tabular-nums">
                  {there(step.at)} EAT
                </time>
              </p>
              <p className="text-xs text-muted">{told[step.source] ?? step.source}.</p>
              {step.detail && step.detail !== "accepted" && (
                <p className="mt-0.5 text-xs break-words">{reasons[step.detail] ?? (/^[A-Z_]*\d+$/.test(step.detail) ? `Code ${step.detail}` : step.detail)}</p>
              )}
            </div>
          </li>
        );
      })}
    </ol>
  );
}

function Settle({ project, payment }: { project: string; payment: Payment }) {
  const [status, setStatus] = useState("succeeded");
  const [receipt, setReceipt] = useState(payment.receipt_number ?? "");
  const [amount, setAmount] = useState("");
  const [time, setTime] = useState("");
  const [note, setNote] = useState("");
  const [pending, setPending] = useState(false);
  const [error, setError] = useState<unknown>();
  const paid = status === "succeeded";
  return (
    <form
      className="grid gap-3 rounded-md border border-border bg-background p-3"
      onSubmit={async (event) => {
        event.preventDefault();
        setPending(true);
        setError(undefined);
        try {
          await plugin(project, `/mpesa/transactions/${encodeURIComponent(payment.id)}/review`, {
            method: "POST",
            json: {
              status,
              ...(receipt && paid ? { receipt_number: receipt.trim().toUpperCase() } : {}),
              ...(amount && paid ? { amount } : {}),
              ...(time && paid ? { paid_at: `${time.slice(0, 16)}:00+03:00` } : {}),
              ...(note ? { note } : {}),
            },
          });
          await refreshPayments(project);
          toast.success("It is settled, and stands in the audit");
        } catch (failure) {
          setError(failure);
        } finally {
          setPending(false);
        }
      }}
    >
      <h3 className="text-[0.8125rem] font-medium">Settle it by hand</h3>
      <div className="grid gap-3 sm:grid-cols-2">
        <Field label="What came of it">
          <Select value={status} onChange={(event) => setStatus(event.target.value)}>
            <option value="succeeded">It was paid</option>
            <option value="failed">It failed</option>
            <option value="cancelled">The customer refused</option>
            <option value="timed_out">Nobody answered</option>
          </Select>
        </Field>
        {paid && (
          <>
            <Field label="Receipt">
              <Input required autoComplete="off" className="font-mono uppercase" value={receipt} onChange={(event) => setReceipt(event.target.value)} />
            </Field>
            <Field label="Paid, shillings">
              <Input inputMode="decimal" autoComplete="off" placeholder={String(payment.amount ?? "")} value={amount} onChange={(event) => setAmount(event.target.value)} />
            </Field>
            <Field label="When, in East Africa Time" help="It counts for that day.">
              <Input type="datetime-local" value={time} onChange={(event) => setTime(event.target.value)} />
            </Field>
          </>
        )}
      </div>
      <Field label="How you know">
        <Textarea className="min-h-14" maxLength={500} value={note} onChange={(event) => setNote(event.target.value)} />
      </Field>
      <Refusal error={error} />
      <div>
        <Button type="submit" variant="primary" size="sm" pending={pending}>
          Settle
        </Button>
      </div>
    </form>
  );
}

export function PaymentSheet({ project, id, close, open }: { project: string; id: string; close: () => void; open: (id: string) => void }) {
  const { data: payment, error, refetch } = useQuery(paymentQuery(project, id));
  const story = useQuery({ ...storyQuery(project, id, payment?.updated_at ?? ""), enabled: payment !== undefined, placeholderData: keepPreviousData });
  const { pending, run } = useAction();
  const [reversing, setReversing] = useState(false);
  const isOpen = payment && ["created", "pending", "needs_review"].includes(payment.status);
  const canAsk = isOpen && payment.kind === "push" && payment.checkout_request_id;
  const canReverse = payment && payment.status === "succeeded" && ["push", "c2b"].includes(payment.kind) && payment.receipt_number;
  const facts: [string, React.ReactNode][] = payment
    ? ([
        ["Phone", payment.phone_number],
        ["Account number", payment.account_reference],
        ["Receipt", payment.receipt_number],
        ["Shortcode", payment.account],
        ["Answer", payment.result_code && `${payment.result_code} ${payment.result_desc ?? ""}`],
        [
          "User",
          payment.user_id && (
            <Link key="user" to="/projects/$project/users" params={{ project }} search={{ user: payment.user_id }} className="font-mono text-xs break-all hover:underline">
              {payment.user_id}
            </Link>
          ),
        ],
        [
          "About",
          payment.about && (
            <button key="about" type="button" className="font-mono text-xs break-all hover:underline" onClick={() => payment.about && open(payment.about)}>
              {payment.about}
            </button>
          ),
        ],
        ["Checkout request", payment.checkout_request_id],
        ["Begun", `${moment(payment.created_at)}, your time`],
      ] as [string, React.ReactNode][])
    : [];
  return (
    <DialogRoot open onOpenChange={(next) => !next && close()}>
      <DialogContent
        side
        title={payment ? `${shillings(payment.amount)}, ${(kinds[payment.kind] ?? payment.kind).toLowerCase()}` : "Payment"}
        description={
          <span className="flex items-center font-mono text-xs">
            {id}
            <CopyButton text={id} label="Copy the id" />
          </span>
        }
        footer={
          canAsk || canReverse ? (
            <>
              {canReverse && (
                <Button variant="danger" onClick={() => setReversing(true)}>
                  <Undo2 aria-hidden /> Give the money back…
                </Button>
              )}
              {canAsk && (
                <Button
                  variant="primary"
                  pending={pending}
                  onClick={() =>
                    void run(async () => {
                      await plugin(project, `/mpesa/transactions/${encodeURIComponent(id)}/query`, { method: "POST" });
                      await refreshPayments(project);
                    }, "Safaricom was asked")
                  }
                >
                  <CircleHelp aria-hidden /> Ask Safaricom now
                </Button>
              )}
            </>
          ) : undefined
        }
      >
        {error && !payment ? (
          <Failure error={error} retry={() => void refetch()} />
        ) : !payment ? (
          <Loading />
        ) : (
          <div className="grid gap-5">
            <div>
              <PaymentBadge status={payment.status} />
            </div>
            {payment.status === "needs_review" && (
              <>
                <Note tone="warn">{reasons[payment.review_reason ?? ""] ?? "A person has to look at this payment."}</Note>
                <Settle project={project} payment={payment} />
              </>
            )}
            <dl className="grid grid-cols-[8rem_1fr] gap-y-1.5 text-[0.8125rem]">
              {facts
                .filter(([, value]) => value)
                .map(([name, value]) => (
                  <div key={name} className="contents">
                    <dt className="text-muted">{name}</dt>
                    <dd className="min-w-0 break-words">{value}</dd>
                  </div>
                ))}
            </dl>
            <section>
              <h3 className="mb-2 text-[0.8125rem] font-medium">Its story</h3>
              {story.error && !story.data ? <Failure error={story.error} retry={() => void story.refetch()} /> : story.data ? <Story steps={story.data.items} /> : <Loading rows={3} />}
            </section>
            {payment.details && (
              <section>
                <h3 className="mb-1.5 text-[0.8125rem] font-medium">What Safaricom added</h3>
                <Code text={JSON.stringify(payment.details, null, 2)} label="Copy what it added" />
              </section>
            )}
          </div>
        )}
        {payment && (
          <Confirm
            open={reversing}
            onOpenChange={setReversing}
            title={`Give ${shillings(payment.amount)} back?`}
            action="Give it back"
            typed={payment.receipt_number ?? undefined}
            run={async () => {
              const begun = await plugin<{ transaction_id: string }>(project, "/mpesa/reversals", { method: "POST", json: { transaction_id: id } });
              await refreshPayments(project);
              toast.success("Safaricom has it; what comes of it is told here");
              open(begun.transaction_id);
            }}
          >
            <p>Safaricom takes the money from {payment.account === "default" ? "the shortcode" : `the shortcode ${payment.account}`} and gives it back to the customer. It cannot be undone.</p>
          </Confirm>
        )}
      </DialogContent>
    </DialogRoot>
  );
}
