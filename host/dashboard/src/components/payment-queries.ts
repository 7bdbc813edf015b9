/** What the pages of payments ask the plugin `mpesa`. */
import { queryOptions } from "@tanstack/react-query";
import { plugin } from "@/api/client";
import { queryClient } from "@/api/queries";
import type { Tone } from "./ui/badge";

export type Status = "created" | "pending" | "succeeded" | "failed" | "cancelled" | "timed_out" | "needs_review";

export interface Payment {
  id: string;
  kind: string;
  status: Status;
  account: string;
  amount: number | null;
  phone_number: string | null;
  account_reference: string | null;
  receipt_number: string | null;
  result_code: string | null;
  result_desc: string | null;
  review_reason: string | null;
  merchant_request_id: string | null;
  checkout_request_id: string | null;
  user_id: string | null;
  about: string | null;
  details: Record<string, unknown> | null;
  created_at: string;
  updated_at: string;
}

export interface Transition {
  id: string;
  from: Status | null;
  to: Status;
  source: string;
  detail: string | null;
  at: string;
}

export interface Finding {
  account: string;
  shortcode: string;
  environment: string;
  address: string;
  ok: boolean;
  problem: string | null;
  advice: string | null;
  can_push: boolean;
  can_pay_out: boolean;
  took_ms: number;
}

export interface Difference {
  problem: string;
  transaction_id: string | null;
  receipt_number: string | null;
  detail: string | null;
}

export interface Report {
  day: string;
  account: string | null;
  money_in: { count: number; amount: string };
  money_out: { count: number; amount: string };
  net: string;
  transactions: { kind: string; status: Status; count: number; amount: string }[];
  differences: Difference[];
  balanced: boolean;
}

export const statuses: Record<Status, [Tone, string]> = {
  created: ["plain", "being sent"],
  pending: ["accent", "waiting for the customer"],
  succeeded: ["good", "paid"],
  failed: ["bad", "failed"],
  cancelled: ["plain", "refused by the customer"],
  timed_out: ["warn", "not answered"],
  needs_review: ["warn", "needs review"],
};

export const kinds: Record<string, string> = {
  push: "Push",
  c2b: "From the menu",
  payout: "Payout",
  reversal: "Reversal",
  status: "Question",
  balance: "Balance",
};

export const reasons: Record<string, string> = {
  no_answer: "Nobody said what came of it. Look for it in Safaricom's portal, and settle it by hand.",
  unknown_code: "Safaricom answered with a code that is in no table.",
  amount_differs: "Another amount was paid than was asked for.",
  contradiction: "It had failed, and then was said to be paid.",
  receipt_taken: "Its receipt belongs to another payment.",
};

const grouped = new Intl.NumberFormat("en-KE", { maximumFractionDigits: 2 });

/** Shillings, as people write them. */
export const shillings = (amount: number | string | null): string => (amount === null ? "–" : `KES ${grouped.format(Number(amount))}`);

const zone = "Africa/Nairobi";

/** The day in East Africa Time, as `2026-01-31`. */
export const dayThere = (at: Date = new Date()): string => new Intl.DateTimeFormat("en-CA", { timeZone: zone, year: "numeric", month: "2-digit", day: "2-digit" }).format(at);

export const dayAfter = (day: string, days: number): string => new Date(Date.parse(`${day}T12:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10);

/** A day of East Africa Time in words. */
export const dayInWords = (day: string): string =>
  new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", weekday: "long", day: "numeric", month: "long", year: "numeric" }).format(new Date(`${day}T12:00:00Z`));

export const there = (at: string): string =>
  new Intl.DateTimeFormat("en-GB", { timeZone: zone, day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(new Date(at));

const key = (project: string) => ["project", project, "payments"];

export const refreshPayments = (project: string) => queryClient.invalidateQueries({ queryKey: key(project) });

export interface Filter {
  status?: string | undefined;
  kind?: string | undefined;
  account?: string | undefined;
  account_reference?: string | undefined;
  phone?: string | undefined;
  receipt_number?: string | undefined;
  from?: string | undefined;
  to?: string | undefined;
}

export const paymentsQuery = (project: string, filter: Filter, cursor: string | undefined) => {
  const query = {
    ...filter,
    // Days there are days in East Africa Time, the last one included.
    from: filter.from && `${filter.from}T00:00:00+03:00`,
    to: filter.to && `${dayAfter(filter.to, 1)}T00:00:00+03:00`,
    limit: "50",
    cursor,
  };
  return {
    queryKey: [...key(project), "list", query],
    queryFn: ({ signal }: { signal: AbortSignal }) => plugin<{ items: Payment[]; next_cursor: string | null }>(project, "/mpesa/transactions", { query, signal }),
    refetchInterval: 4_000,
  };
};

export const paymentQuery = (project: string, id: string) =>
  queryOptions({
    queryKey: [...key(project), "one", id],
    queryFn: ({ signal }) => plugin<Payment>(project, `/mpesa/transactions/${encodeURIComponent(id)}`, { signal }),
    refetchInterval: 2_000,
  });

export const storyQuery = (project: string, id: string, updated: string) =>
  queryOptions({
    queryKey: [...key(project), "story", id, updated],
    queryFn: ({ signal }) => plugin<{ items: Transition[] }>(project, `/mpesa/transactions/${encodeURIComponent(id)}/history`, { signal }),
  });

export const reportQuery = (project: string, day: string, account: string | undefined) =>
  queryOptions({
    queryKey: [...key(project), "day", day, account],
    queryFn: ({ signal }) => plugin<Report>(project, "/mpesa/reconciliation", { query: { day, account }, signal }),
  });

/** The names of the project's shortcodes, of its configuration. */
export function accountsOf(config: Record<string, unknown> | undefined): string[] {
  const named = config?.accounts;
  return ["default", ...(typeof named === "object" && named !== null ? Object.keys(named) : [])];
}
