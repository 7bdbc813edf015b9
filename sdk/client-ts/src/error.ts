/** The parts of a problem document (RFC 9457) that AtlasHub writes. */
export interface Problem {
  type?: string;
  title?: string;
  status?: number;
  detail?: string;
  /** What is wrong, for programs: stable, in snake case. */
  code?: string;
  request_id?: string;
  /** Members of one kind of problem, such as `limit_bytes`. */
  [member: string]: unknown;
}

/** An answer that is no success, or no answer at all. */
export class AtlasHubError extends Error {
  /** The HTTP status; 0 when no answer came. */
  readonly status: number;
  /** What is wrong, for programs: stable, in snake case. */
  readonly code: string;
  /** What to name when asking for help. */
  readonly requestId: string | undefined;
  /** Seconds to wait before another try, where the server said so. */
  readonly retryAfter: number | undefined;
  /** The whole document. */
  readonly problem: Problem;

  constructor(status: number, problem: Problem, retryAfter?: number, cause?: unknown) {
    super(problem.detail ?? problem.title ?? `the server answered ${status}`, { cause });
    this.name = "AtlasHubError";
    this.status = status;
    this.code = problem.code ?? (status === 0 ? "no_answer" : "unknown");
    this.requestId = problem.request_id;
    this.retryAfter = retryAfter;
    this.problem = problem;
  }
}

/** Makes an error of an answer that is no success. Reads its body. */
export async function errorOf(response: Response): Promise<AtlasHubError> {
  let problem: Problem = {};
  try {
    const body: unknown = JSON.parse(await response.text());
    if (typeof body === "object" && body !== null && !Array.isArray(body)) {
      problem = body as Problem;
    }
  } catch {
    // An answer of something between here and the server: the status tells.
  }
  const requestId = response.headers.get("x-request-id");
  if (requestId !== null) problem.request_id ??= requestId;
  return new AtlasHubError(response.status, problem, secondsToWait(response));
}

/** `Retry-After` in seconds; dates (RFC 9110) are turned into seconds. */
export function secondsToWait(response: Response): number | undefined {
  const value = response.headers.get("retry-after");
  if (value === null) return undefined;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds);
  const at = Date.parse(value);
  return Number.isNaN(at) ? undefined : Math.max(0, (at - Date.now()) / 1000);
}
