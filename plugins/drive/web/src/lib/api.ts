/** Calls of the project's interface, as the signed-in user. */
import { at } from "./place";
import { Refused, refusal } from "./refused";
import { another, bearer } from "./session";

export type Params = Record<string, string | number | boolean | undefined>;

function withParams(path: string, params?: Params): string {
  const entries = Object.entries(params ?? {}).filter((pair): pair is [string, string | number | boolean] => pair[1] !== undefined);
  if (entries.length === 0) return at(path);
  const query = new URLSearchParams(entries.map(([name, value]) => [name, String(value)]));
  return `${at(path)}?${query}`;
}

interface Options {
  params?: Params | undefined;
  json?: unknown;
  body?: BodyInit | undefined;
  headers?: Record<string, string> | undefined;
  signal?: AbortSignal | undefined;
}

/** The response, whatever its body is. */
export async function ask(method: string, path: string, options: Options = {}): Promise<Response> {
  const send = async (token: string | undefined) =>
    fetch(withParams(path, options.params), {
      method,
      credentials: "omit",
      headers: {
        ...(options.json === undefined ? {} : { "content-type": "application/json" }),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...options.headers,
      },
      ...(options.json === undefined ? {} : { body: JSON.stringify(options.json) }),
      ...(options.body === undefined ? {} : { body: options.body }),
      ...(options.signal ? { signal: options.signal } : {}),
    });
  const token = await bearer();
  let response = await send(token);
  if (response.status === 401 && token) {
    const next = await another(token);
    if (next && next !== token) response = await send(next);
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

/** The JSON of the response. */
export async function call<T>(method: string, path: string, options: Options = {}): Promise<T> {
  const response = await ask(method, path, options);
  const text = await response.text();
  return (text ? JSON.parse(text) : undefined) as T;
}

/** Whether a plugin that the path belongs to is on in this project. */
export async function isOn(path: string): Promise<boolean> {
  try {
    await ask("GET", path, { params: { limit: 1 } });
    return true;
  } catch (error) {
    if (error instanceof Refused && (error.status === 404 || error.status === 403)) return false;
    throw error;
  }
}
