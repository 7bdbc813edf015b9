/**
 * Who is signed in. The access token lives in this module's memory and nowhere
 * else; the refresh token is a cookie that no script can read, sent to one call
 * only. Content that users uploaded is served in an origin of its own (sandbox)
 * and reaches neither.
 */
import { useSyncExternalStore } from "react";
import { at, pageAt } from "./place";
import { Refused, refusal } from "./refused";

interface Tokens {
  access_token: string;
  expires_in: number;
}

/** `lapsed` is whoever was signed in here and is not any more, without having said so: what is typed waits. */
export type Standing = "unknown" | "in" | "lapsed" | "out";

let token: string | undefined;
let until = 0;
let standing: Standing = "unknown";
/** Whose the last token was. */
let subject: string | undefined;
/** What is to be done before nothing of a user's may be there any more. */
const leaving = new Set<() => void>();
/** Calls that wait until somebody is signed in again. */
let waiting: ((token: string | undefined) => void)[] = [];
let refreshing: Promise<string | undefined> | undefined;
const listeners = new Set<() => void>();

/** What tabs tell each other; never a token. */
const tabs = typeof BroadcastChannel === "undefined" ? undefined : new BroadcastChannel("atlashub.drive");
tabs?.addEventListener("message", ({ data }) => {
  if (data === "out" && (standing === "in" || standing === "lapsed")) drop();
  if (data === "in" && (standing === "out" || standing === "lapsed")) void renewed();
});

function stand(now: Standing): void {
  if (standing === now) return;
  standing = now;
  for (const listener of listeners) listener();
}

/** The user that a token names. */
function subjectOf(of: string): string | undefined {
  try {
    const claims = JSON.parse(atob((of.split(".")[1] ?? "").replaceAll("-", "+").replaceAll("_", "/"))) as { sub?: string };
    return claims.sub;
  } catch {
    return undefined;
  }
}

/** Lets those go on that waited. */
function answer(next: string | undefined): void {
  const all = waiting;
  waiting = [];
  for (const go of all) go(next);
}

function take(tokens: Tokens): string {
  token = tokens.access_token;
  // A minute before it ends another is fetched.
  until = Date.now() + Math.max(5, tokens.expires_in - 60) * 1000;
  const now = subjectOf(token);
  // What one user wanted is not done as another.
  answer(now === subject ? token : undefined);
  const isAnother = subject !== undefined && now !== subject;
  if (isAnother) for (const leave of leaving) leave();
  subject = now;
  if (isAnother) for (const listener of listeners) listener();
  stand("in");
  return token;
}

function drop(): void {
  token = undefined;
  until = 0;
  answer(undefined);
  for (const leave of leaving) leave();
  stand("out");
}

/** The session has ended by itself, or was ended elsewhere. */
function lapse(): void {
  token = undefined;
  until = 0;
  stand("lapsed");
}

async function post(path: string, body: unknown, bearer?: string): Promise<Response> {
  return fetch(at(path), {
    method: "POST",
    credentials: "same-origin",
    headers: { "content-type": "application/json", ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) },
    body: JSON.stringify(body),
  });
}

async function exchange(): Promise<string | undefined> {
  const response = await post("/v1/auth/refresh", {});
  if (response.status === 401 || response.status === 403) {
    if (standing === "in" || standing === "lapsed") lapse();
    else drop();
    return undefined;
  }
  if (!response.ok) throw await refusal(response);
  return take((await response.json()) as Tokens);
}

async function alone(): Promise<string | undefined> {
  return navigator.locks ? await navigator.locks.request("atlashub.drive.refresh", exchange) : exchange();
}

/** One exchange at a time, over all tabs where the browser can. */
async function renewed(): Promise<string | undefined> {
  refreshing ??= alone().finally(() => {
    refreshing = undefined;
  });
  return refreshing;
}

/** Another token; where the session has ended, once somebody is signed in again. */
async function fresh(): Promise<string | undefined> {
  const found = standing === "lapsed" ? undefined : await renewed();
  if (found || standing !== "lapsed") return found;
  return new Promise((resolve) => {
    waiting.push(resolve);
  });
}

/** A token that is good for another while, or nothing. */
export async function bearer(): Promise<string | undefined> {
  if (token && Date.now() < until) return token;
  if (standing === "out") return undefined;
  return fresh();
}

/** The server did not take the token: another, once. */
export async function another(refused: string): Promise<string | undefined> {
  // What one user wanted is not done as another.
  if (subjectOf(refused) !== subject) return undefined;
  if (token && token !== refused) return token;
  return fresh();
}

/** Calls before the user is gone, or another one is there. */
export function onLeaving(what: () => void): void {
  leaving.add(what);
}

/** Whoever was signed in here does not come back. */
export function leave(): void {
  drop();
  tabs?.postMessage("out");
}

/** Looks whether somebody is signed in here. */
export async function begin(): Promise<void> {
  await renewed();
}

export async function signIn(email: string, password: string, code?: string): Promise<void> {
  const response = await post("/v1/auth/login", {
    email,
    password,
    ...(code ? { totp_code: code } : {}),
    session: "cookie",
  });
  if (!response.ok) throw await refusal(response);
  take((await response.json()) as Tokens);
  tabs?.postMessage("in");
}

/** Whether the address has to be proven first. */
export async function signUp(wanted: { email: string; password: string; name: string }): Promise<boolean> {
  const response = await post("/v1/auth/signup", { ...wanted, session: "cookie" });
  if (!response.ok) throw await refusal(response);
  const made = (await response.json()) as Partial<Tokens> & { verification_required: boolean };
  if (made.verification_required || !made.access_token) return true;
  take({ access_token: made.access_token, expires_in: made.expires_in ?? 60 });
  tabs?.postMessage("in");
  return false;
}

export async function signOut(everywhere = false): Promise<void> {
  const now = standing === "lapsed" ? undefined : await bearer().catch(() => undefined);
  if (now) {
    const response = await post(`/v1/auth/logout?scope=${everywhere ? "global" : "local"}`, {}, now);
    if (!response.ok && response.status !== 401) throw await refusal(response);
  }
  drop();
  tabs?.postMessage("out");
}

/** Another password: all other sessions end, this one goes on. */
export async function changePassword(current: string, password: string): Promise<void> {
  const now = await bearer();
  const response = await fetch(at("/v1/auth/password"), {
    method: "PUT",
    credentials: "same-origin",
    headers: { "content-type": "application/json", authorization: `Bearer ${now ?? ""}` },
    body: JSON.stringify({ current_password: current, password, session: "cookie" }),
  });
  if (!response.ok) throw await refusal(response);
  take((await response.json()) as Tokens);
}

export async function forgot(email: string): Promise<void> {
  // The mail leads back to these pages where the project allows it, and to one
  // of the server's own where not.
  const back = await post("/v1/auth/forgot-password", { email, redirect_to: pageAt("") });
  if (back.ok) return;
  if (back.status === 429 || back.status >= 500) throw await refusal(back);
  const response = await post("/v1/auth/forgot-password", { email });
  if (!response.ok) throw await refusal(response);
}

/** Sets the password that was forgotten, by the token of a mail. */
export async function reset(given: string, password: string): Promise<void> {
  const response = await post("/v1/auth/reset-password", { token: given, password });
  if (!response.ok) throw await refusal(response);
}

function listen(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useStanding(): Standing {
  return useSyncExternalStore(listen, () => standing);
}

/** Who is signed in, or was last. */
export const whoIs = () => subject;

/** The same, for components. */
export function useSubject(): string | undefined {
  return useSyncExternalStore(listen, () => subject);
}

export { Refused };
