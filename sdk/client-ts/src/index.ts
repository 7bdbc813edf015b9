import { Auth } from "./auth.js";
import { type AnyDatabase, type DatabaseShape, Db } from "./db.js";
import { Files } from "./files.js";
import { type Call, type Fetch, Http } from "./http.js";
import { memoryStore, type SessionStore } from "./session.js";
import { Storage } from "./storage.js";

export {
  type AppPassword,
  Auth,
  type AuthEvent,
  type AuthListener,
  type Identity,
  type OAuthStart,
  type SessionInfo,
  type SignUp,
  type User,
} from "./auth.js";
export { type AnyDatabase, type DatabaseShape, Db, type Rows, Select, Table, Write } from "./db.js";
export { AtlasHubError, type Problem } from "./error.js";
export { type FileInfo, Files, type Page } from "./files.js";
export type { Call, Fetch, QueryValues } from "./http.js";
export { codeFrom, newPkce, type Pkce } from "./pkce.js";
export { browserStore, memoryStore, type Session, type SessionStore } from "./session.js";
export {
  BucketObjects,
  type ObjectBody,
  type ObjectInfo,
  type ObjectPage,
  Storage,
} from "./storage.js";

/** How to reach a project. */
export interface ClientOptions {
  /** The project's address: `https://<slug>.<domain>` or `https://<host>/p/<slug>`. */
  url: string;
  /** A publishable key; a secret one on servers only. */
  key: string;
  /** Where sessions live; in memory when nothing is said. */
  store?: SessionStore;
  /** Sends the requests; the platform's `fetch` when nothing is said. */
  fetch?: Fetch;
}

/** A project as an application uses it. */
export class Client<D extends DatabaseShape = AnyDatabase> {
  /** Signing up, in and out, the user's account. */
  readonly auth: Auth;
  /** The project's own tables. */
  readonly db: Db<D>;
  /** The caller's files. */
  readonly files: Files;
  /** Objects in buckets. */
  readonly storage: Storage;
  readonly #http: Http;

  constructor(options: ClientOptions) {
    const send: Fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init));
    this.#http = new Http(options.url, options.key, send);
    this.auth = new Auth(this.#http, options.store ?? memoryStore());
    this.db = new Db(this.#http);
    this.files = new Files(this.#http);
    this.storage = new Storage(this.#http);
  }

  /** Calls any route of a plugin and reads the JSON that it answers. */
  async call<T = unknown>(path: string, call: Call = {}): Promise<T> {
    return this.#http.json<T>(path, call);
  }

  /** Calls any route of a plugin and answers what came. */
  async fetch(path: string, call: Call = {}): Promise<Response> {
    return this.#http.send(path, call);
  }
}

/** A client of the project at `options.url`. */
export function createClient<D extends DatabaseShape = AnyDatabase>(
  options: ClientOptions,
): Client<D> {
  return new Client<D>(options);
}
