import type { Http, QueryValues } from "./http.js";

/** What is known of a file. Servers may add members. */
export interface FileInfo {
  id: string;
  filename: string;
  path: string;
  size: number;
  mime_type: string;
  sha256: string;
  etag: string;
  created_at: string;
  updated_at: string;
  [member: string]: unknown;
}

/** A page of a list. */
export interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** The caller's files. */
export class Files {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /**
   * Stores `body` at `path`; folders on the way are made. With the same
   * `idempotencyKey` a repeated call happens once.
   */
  async upload(
    path: string,
    body: BodyInit,
    options: { idempotencyKey?: string; signal?: AbortSignal } = {},
  ): Promise<FileInfo> {
    const headers: Record<string, string> = {
      "file-path": encodeURIComponent(path).replaceAll("%2F", "/"),
      "content-type": "application/octet-stream",
    };
    if (options.idempotencyKey) headers["idempotency-key"] = options.idempotencyKey;
    return this.#http.json("/files/upload", {
      method: "POST",
      body,
      headers,
      ...(options.signal && { signal: options.signal }),
    });
  }

  /** A page of files. */
  async list(query: QueryValues = {}): Promise<Page<FileInfo>> {
    return this.#http.json("/files", { query });
  }

  /** What is known of one. */
  async get(id: string): Promise<FileInfo> {
    return this.#http.json(one(id));
  }

  /** Its bytes, as an answer whose body streams. `range` as in RFC 9110. */
  async download(
    id: string,
    options: { range?: string; signal?: AbortSignal } = {},
  ): Promise<Response> {
    return this.#http.send(`${one(id)}/download`, {
      ...(options.range && { headers: { range: options.range } }),
      ...(options.signal && { signal: options.signal }),
    });
  }

  /** Renames or moves it, or changes its description. */
  async update(id: string, changes: Record<string, unknown>): Promise<FileInfo> {
    return this.#http.json(one(id), { method: "PATCH", json: changes });
  }

  /** Moves it to the trash, or deletes it for good. */
  async remove(id: string, options: { permanent?: boolean } = {}): Promise<void> {
    const query = options.permanent ? { permanent: 1 } : {};
    await this.#http.json(one(id), { method: "DELETE", query });
  }

  /** Takes it out of the trash. */
  async restore(id: string): Promise<FileInfo> {
    return this.#http.json(`${one(id)}/restore`, { method: "POST" });
  }
}

function one(id: string): string {
  return `/files/${encodeURIComponent(id)}`;
}
