import type { Http, QueryValues } from "./http.js";

/** What is known of an object. Servers may add members. */
export interface ObjectInfo {
  objectKey: string;
  size: number;
  contentType: string;
  ownerId: string | null;
  createdAt: string;
  [member: string]: unknown;
}

/** A page of objects, in the order of their paths. */
export interface ObjectPage {
  objects: ObjectInfo[];
  nextCursor: string | null;
}

/** What is sent as an object; its size is known beforehand. */
export type ObjectBody = string | Blob | ArrayBuffer | Uint8Array<ArrayBuffer>;

/** Objects in buckets. */
export class Storage {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** The bucket of that name. */
  from(bucket: string): BucketObjects {
    return new BucketObjects(this.#http, bucket);
  }
}

/** The objects of one bucket. */
export class BucketObjects {
  readonly #http: Http;
  readonly #bucket: string;

  constructor(http: Http, bucket: string) {
    this.#http = http;
    this.#bucket = bucket;
  }

  /** Sends `body` to `path`, in the place of what was there if the caller may. */
  async upload(
    path: string,
    body: ObjectBody,
    options: { contentType?: string; signal?: AbortSignal } = {},
  ): Promise<void> {
    const bytes = typeof body === "string" ? new Blob([body]) : body;
    const size = bytes instanceof Blob ? bytes.size : bytes.byteLength;
    const own = body instanceof Blob ? body.type : "";
    const contentType = options.contentType ?? (own || "application/octet-stream");
    const { uploadUrl } = await this.#http.json<{ uploadUrl: string }>("/v1/storage/signed-upload", {
      method: "POST",
      json: { bucket: this.#bucket, path, contentType, maxSize: Math.max(size, 1) },
      ...(options.signal && { signal: options.signal }),
    });
    const response = await this.#http.follow(uploadUrl, {
      method: "PUT",
      body: bytes,
      headers: { "content-type": contentType },
      ...(options.signal && { signal: options.signal }),
    });
    await response.body?.cancel();
  }

  /** A link to the object that needs no key, for a while. */
  async link(path: string, options: { attachment?: boolean } = {}): Promise<string> {
    const query = {
      ...this.#object(path),
      ...(options.attachment && { disposition: "attachment" }),
    };
    const answer = await this.#http.json<{ downloadUrl: string }>("/v1/storage/signed-download", {
      query,
    });
    return answer.downloadUrl;
  }

  /** The object's bytes, as an answer whose body streams. */
  async download(path: string, options: { signal?: AbortSignal } = {}): Promise<Response> {
    const link = await this.link(path);
    return this.#http.follow(link, { ...(options.signal && { signal: options.signal }) });
  }

  /** Where an object of a public bucket is, for everybody and for good. */
  publicUrl(path: string): string {
    const segments = [this.#bucket, ...path.split("/")].map(encodeURIComponent);
    return this.#http.address(`/v1/storage/public/${segments.join("/")}`);
  }

  /** A page of objects: for secret keys, admins, and users who manage storage. */
  async list(query: { prefix?: string; limit?: number; cursor?: string } = {}): Promise<ObjectPage> {
    return this.#http.json("/v1/storage/list", { query: { bucket: this.#bucket, ...query } });
  }

  /** Deletes the object. */
  async remove(path: string): Promise<void> {
    await this.#http.json("/v1/storage/object", { method: "DELETE", query: this.#object(path) });
  }

  #object(path: string): QueryValues {
    return { bucket: this.#bucket, objectKey: path };
  }
}
