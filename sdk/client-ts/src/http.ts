import { AtlasHubError, errorOf, secondsToWait } from "./error.js";

/** What sends requests: the platform's `fetch`, or one with its signature. */
export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

/** Values of a query; `undefined` leaves one out, a list repeats it. */
export type QueryValues = Record<string, string | number | boolean | undefined | readonly string[]>;

export interface Call {
  method?: string;
  query?: QueryValues | URLSearchParams;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is. */
  body?: BodyInit;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Whether the session's token goes along; it does. */
  withSession?: boolean;
}

/** Where a valid access token comes from, and what to do when it is refused. */
export interface Tokens {
  /** A token that has not expired, or none without a session. */
  current(): Promise<string | undefined>;
  /** The server refused `token`: a new one, or none. */
  renew(token: string): Promise<string | undefined>;
}

/** How often a reading request is sent again when the server is full. */
const RETRIES = 2;
/** The longest wait before that, seconds. */
const LONGEST_WAIT = 5;

/** Sends requests to one project with its key and the session's token. */
export class Http {
  readonly base: string;
  readonly #key: string;
  readonly #fetch: Fetch;
  #tokens: Tokens | undefined;

  constructor(url: string, key: string, fetch: Fetch) {
    const base = new URL(url);
    if (base.search || base.hash) {
      throw new TypeError(`the project's address has a query or a fragment: ${url}`);
    }
    this.base = base.href.replace(/\/+$/, "");
    this.#key = key;
    this.#fetch = fetch;
  }

  /** Sessions come from `tokens` from now on. */
  use(tokens: Tokens): void {
    this.#tokens = tokens;
  }

  /** The whole address of `path` with a query. */
  address(path: string, query?: Call["query"]): string {
    if (!path.startsWith("/")) throw new TypeError(`a path begins with a slash: ${path}`);
    const parameters = query instanceof URLSearchParams ? query : parametersOf(query ?? {});
    const text = parameters.toString();
    return this.base + path + (text && `?${text}`);
  }

  /** Sends a request and answers what came, a success or an `AtlasHubError`. */
  async send(path: string, call: Call = {}): Promise<Response> {
    const token = call.withSession === false ? undefined : await this.#tokens?.current();
    let response = await this.#try(path, call, token);
    // A stream can be sent once only.
    if (response.status === 401 && token !== undefined && !(call.body instanceof ReadableStream)) {
      const renewed = await this.#tokens?.renew(token);
      if (renewed !== undefined) {
        await response.body?.cancel();
        response = await this.#try(path, call, renewed);
      }
    }
    if (!response.ok) throw await errorOf(response);
    return response;
  }

  /** Uses a signed link: it goes without key and token, perhaps to another host. */
  async follow(link: string, init: RequestInit): Promise<Response> {
    let response: Response;
    try {
      response = await this.#fetch(link, init);
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      const detail = `no answer from ${new URL(link).host}`;
      throw new AtlasHubError(0, { detail }, undefined, cause);
    }
    if (!response.ok) throw await errorOf(response);
    return response;
  }

  /** Sends a request and reads the JSON that it answers; none for 204. */
  async json<T>(path: string, call: Call = {}): Promise<T> {
    const headers = { accept: "application/json", ...call.headers };
    const response = await this.send(path, { ...call, headers });
    const text = await response.text();
    return (text === "" ? undefined : JSON.parse(text)) as T;
  }

  async #try(path: string, call: Call, token: string | undefined): Promise<Response> {
    const method = call.method ?? "GET";
    const headers = new Headers(call.headers);
    headers.set("x-api-key", this.#key);
    if (token !== undefined) headers.set("authorization", `Bearer ${token}`);
    const init: RequestInit & { duplex?: "half" } = { method, headers };
    if (call.json !== undefined) {
      headers.set("content-type", "application/json");
      init.body = JSON.stringify(call.json);
    } else if (call.body !== undefined) {
      init.body = call.body;
      if (call.body instanceof ReadableStream) init.duplex = "half";
    }
    if (call.signal) init.signal = call.signal;
    const address = this.address(path, call.query);
    for (let left = method === "GET" || method === "HEAD" ? RETRIES : 0; ; left -= 1) {
      let response: Response;
      try {
        response = await this.#fetch(address, init);
      } catch (cause) {
        if (call.signal?.aborted) throw cause;
        throw new AtlasHubError(0, { detail: `no answer from ${this.base}` }, undefined, cause);
      }
      const wait = secondsToWait(response);
      if (response.status !== 503 || left === 0 || wait === undefined || wait > LONGEST_WAIT) {
        return response;
      }
      await response.body?.cancel();
      await sleep(wait * 1000, call.signal);
    }
  }
}

function parametersOf(values: QueryValues): URLSearchParams {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    if (typeof value === "object") {
      for (const item of value) parameters.append(name, item);
    } else {
      parameters.append(name, String(value));
    }
  }
  return parameters;
}

function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", end);
      resolve();
    }, milliseconds);
    signal?.addEventListener("abort", end, { once: true });
  });
}
