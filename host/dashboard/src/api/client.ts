/**
 * The admin interface, typed by its description.
 *
 * The session is a cookie that no script can read. When it has run out, a call
 * waits until somebody has signed in again, and is then made once more: what
 * was typed into a form is not lost. When the server cannot be reached, that
 * is told to whoever listens, and reading is tried again.
 */
import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

export type Schemas = components["schemas"];

/** An answer that says what is wrong (RFC 9457), or that none came. */
export class ApiError extends Error {
  readonly status: number;
  readonly code: string;
  readonly requestId: string | undefined;
  readonly details: Record<string, unknown>;

  constructor(status: number, problem: Record<string, unknown>) {
    super(typeof problem.detail === "string" ? problem.detail : "the server gave no reason");
    this.status = status;
    this.code = typeof problem.code === "string" ? problem.code : "unknown";
    this.requestId = typeof problem.request_id === "string" ? problem.request_id : undefined;
    this.details = problem;
  }
}

interface Watcher {
  /** Resolves when somebody has signed in again. */
  signInAgain: () => Promise<void>;
  /** The server cannot be reached. */
  lost: () => void;
}

let watcher: Watcher | undefined;

export function watch(by: Watcher): void {
  watcher = by;
}

const isSignIn = (request: Request) =>
  /\/admin\/v1\/(session|setup|invitations\/accept)$/.test(new URL(request.url).pathname) &&
  request.method !== "PUT";

async function reach(request: Request): Promise<Response> {
  let response: Response | undefined;
  try {
    response = await fetch(request);
  } catch (error) {
    if (request.signal.aborted) throw error;
  }
  if (response && !isOfProxy(request, response)) return response;
  watcher?.lost();
  throw new ApiError(0, {
    code: "unreachable",
    detail: "the server does not answer; look whether it runs, and try again",
  });
}

/** Whether a proxy answers in the place of a server that is away: the server itself says in JSON what is wrong. */
const isOfProxy = (request: Request, response: Response) =>
  response.status >= 500 &&
  new URL(request.url).pathname.startsWith("/admin/") &&
  !(response.headers.get("content-type") ?? "").includes("json");

/** Whether the session is over: a 401 may as well be about what the request says, such as a code. */
const isSignedOut = async () => (await reach(new Request(new URL("/admin/v1/session", location.href)))).status === 401;

/** Waits for somebody to sign in where the session is over; whether it was. */
export async function renewed(): Promise<boolean> {
  if (!watcher || !(await isSignedOut())) return false;
  await watcher.signInAgain();
  return true;
}

/** A request with the session's cookie. */
export async function call(request: Request): Promise<Response> {
  const spare = request.clone();
  const response = await reach(request);
  if (response.status !== 401 || isSignIn(request) || !(await renewed())) return response;
  return reach(spare);
}

export const api = createClient<paths>({ baseUrl: "", fetch: call });

/** Throws what an answer says is wrong. */
export async function refuse(response: Response): Promise<never> {
  let problem: Record<string, unknown> = {};
  try {
    problem = (await response.json()) as Record<string, unknown>;
  } catch {
    problem = { detail: `the server answered ${response.status} ${response.statusText}` };
  }
  throw new ApiError(response.status, problem);
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/** The content of an answer; throws an {@link ApiError} for one that refuses. */
export async function take<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (!response.ok) {
    throw new ApiError(
      response.status,
      typeof error === "object" && error !== null
        ? (error as Record<string, unknown>)
        : { detail: `the server answered ${response.status} ${response.statusText}` },
    );
  }
  return data as T;
}

interface PluginCall {
  method?: string;
  json?: unknown;
  query?: Record<string, string | undefined>;
  /** What is changed has to have this tag. */
  etag?: string | undefined;
  signal?: AbortSignal;
}

/** The address of a plugin's route in a project. */
export function pluginAddress(project: string, path: string, query: PluginCall["query"] = {}): URL {
  const url = new URL(`/p/${encodeURIComponent(project)}${path}`, location.origin);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== "") url.searchParams.set(name, value);
  }
  return url;
}

async function ask(project: string, path: string, options: PluginCall): Promise<Response> {
  const request = new Request(pluginAddress(project, path, options.query), {
    method: options.method ?? "GET",
    headers: {
      ...(options.json === undefined ? {} : { "content-type": "application/json" }),
      ...(options.etag ? { "if-match": options.etag } : {}),
    },
    ...(options.json === undefined ? {} : { body: JSON.stringify(options.json) }),
    ...(options.signal ? { signal: options.signal } : {}),
  });
  const response = await call(request);
  return response.ok ? response : refuse(response);
}

/** A call of a plugin of a project, in the admin's name. */
export async function plugin<T>(project: string, path: string, options: PluginCall = {}): Promise<T> {
  const response = await ask(project, path, options);
  if (response.status === 204) return undefined as T;
  return (await response.json()) as T;
}

/** The same, of a route that answers with text. */
export async function pluginText(project: string, path: string, options: PluginCall = {}): Promise<string> {
  return (await ask(project, path, options)).text();
}

/** What to tell of an error: what is wrong, and what to do. */
export function reason(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const sentence = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}
