import { AtlasHubError } from "./error.js";
import type { Http } from "./http.js";

/**
 * The shape of a project's tables, as `types.ts` of the project's admin
 * interface describes them.
 */
export interface DatabaseShape {
  public: {
    Tables: Record<
      string,
      {
        Row: Record<string, unknown>;
        Insert: Record<string, unknown>;
        Update: Record<string, unknown>;
      }
    >;
    Views?: Record<string, { Row: Record<string, unknown> }>;
  };
}

/** A database of which nothing is known: any table, any column. */
export interface AnyDatabase extends DatabaseShape {}

type Tables<D extends DatabaseShape> = D["public"]["Tables"];
type Views<D extends DatabaseShape> = NonNullable<D["public"]["Views"]>;
type Column<Row> = Extract<keyof Row, string>;

/** What a read answers. */
export interface Rows<Row> {
  rows: Row[];
  limit: number;
  offset: number;
  /** How many there are; when it was asked for. */
  count?: number;
}

type Operator = "eq" | "neq" | "lt" | "lte" | "gt" | "gte" | "like" | "ilike";

/** The project's own tables, by name. */
export class Db<D extends DatabaseShape = AnyDatabase> {
  readonly #http: Http;

  constructor(http: Http) {
    this.#http = http;
  }

  /** A table. */
  from<T extends Extract<keyof Tables<D>, string>>(
    table: T,
  ): Table<Tables<D>[T]["Row"], Tables<D>[T]["Insert"], Tables<D>[T]["Update"]>;
  /** A view, which can be read. */
  from<V extends Extract<keyof Views<D>, string>>(
    view: V,
  ): Pick<Table<Views<D>[V]["Row"], never, never>, "select">;
  from(name: string): Table<Record<string, unknown>, never, never> {
    return new Table(this.#http, name);
  }

  /** The tables and their columns. */
  async tables(): Promise<unknown> {
    return this.#http.json("/v1/db/tables");
  }
}

/** Filters that a statement collects. */
abstract class Filtered<Row> {
  protected readonly filters: [string, string][] = [];

  /** Equals `value`. */
  eq<C extends Column<Row>>(column: C, value: Row[C]): this {
    return this.#filter("eq", column, value);
  }
  /** Does not equal `value`. */
  neq<C extends Column<Row>>(column: C, value: Row[C]): this {
    return this.#filter("neq", column, value);
  }
  /** Is less than `value`. */
  lt<C extends Column<Row>>(column: C, value: Row[C]): this {
    return this.#filter("lt", column, value);
  }
  /** Is at most `value`. */
  lte<C extends Column<Row>>(column: C, value: Row[C]): this {
    return this.#filter("lte", column, value);
  }
  /** Is greater than `value`. */
  gt<C extends Column<Row>>(column: C, value: Row[C]): this {
    return this.#filter("gt", column, value);
  }
  /** Is at least `value`. */
  gte<C extends Column<Row>>(column: C, value: Row[C]): this {
    return this.#filter("gte", column, value);
  }
  /** Matches a pattern of SQL; `%` stands for any text. */
  like(column: Column<Row>, pattern: string): this {
    return this.#filter("like", column, pattern);
  }
  /** As `like`, and upper and lower case are alike. */
  ilike(column: Column<Row>, pattern: string): this {
    return this.#filter("ilike", column, pattern);
  }
  /** Is one of `values`, none of which may hold a comma. */
  in<C extends Column<Row>>(column: C, values: readonly Row[C][]): this {
    const texts = values.map(text);
    const comma = texts.find((value) => value.includes(","));
    if (comma !== undefined) {
      throw new TypeError(`a value of \`in\` holds a comma: ${comma}`);
    }
    this.filters.push([`in.${column}`, texts.join(",")]);
    return this;
  }

  #filter(operator: Operator, column: string, value: unknown): this {
    this.filters.push([`${operator}.${column}`, text(value)]);
    return this;
  }
}

function text(value: unknown): string {
  if (value === null || value === undefined) {
    throw new TypeError("a filter takes a value, not null");
  }
  return typeof value === "object" && !(value instanceof Date)
    ? JSON.stringify(value)
    : value instanceof Date
      ? value.toISOString()
      : String(value);
}

/** Statements on one table. Each is sent when it is awaited. */
export class Table<Row, Insert, Update> {
  readonly #http: Http;
  readonly #path: string;

  constructor(http: Http, table: string) {
    this.#http = http;
    this.#path = `/v1/db/${encodeURIComponent(table)}`;
  }

  /** Reads the named columns, or all. */
  select<C extends Column<Row> = Column<Row>>(...columns: C[]): Select<Row, Pick<Row, C>> {
    return new Select(this.#http, this.#path, columns);
  }

  /** Adds rows, all or none, and answers them as they are stored. */
  async insert(rows: Insert | readonly Insert[]): Promise<Row[]> {
    const list = Array.isArray(rows) ? rows : [rows];
    const answer = await this.#http.json<{ rows: Row[] }>(this.#path, {
      method: "POST",
      json: { rows: list },
    });
    return answer.rows;
  }

  /** Changes the rows that the filters name; at least one filter is needed. */
  update(values: Update): Write<Row> {
    return new Write(this.#http, this.#path, "PATCH", { values });
  }

  /** Deletes the rows that the filters name; at least one filter is needed. */
  delete(): Write<Row> {
    return new Write(this.#http, this.#path, "DELETE", undefined);
  }
}

/** A read. */
export class Select<Row, Result> extends Filtered<Row> implements PromiseLike<Rows<Result>> {
  readonly #http: Http;
  readonly #path: string;
  readonly #columns: string[];
  readonly #order: string[] = [];
  #limit: number | undefined;
  #offset: number | undefined;
  #count = false;

  constructor(http: Http, path: string, columns: string[]) {
    super();
    this.#http = http;
    this.#path = path;
    this.#columns = columns;
  }

  /** Sorts by a column; further calls decide between equals. */
  order(column: Column<Row>, direction: "asc" | "desc" = "asc"): this {
    this.#order.push(`${column}.${direction}`);
    return this;
  }
  /** At most so many rows: 1,000 at most, 100 when nothing is said. */
  limit(rows: number): this {
    this.#limit = rows;
    return this;
  }
  /** Leaves the first rows out. */
  offset(rows: number): this {
    this.#offset = rows;
    return this;
  }
  /** Counts all rows that the filters name, which takes time on large tables. */
  count(): this {
    this.#count = true;
    return this;
  }

  /** The only row, or none. More than one is an error. */
  async maybeSingle(): Promise<Result | undefined> {
    this.#limit = 2;
    const { rows } = await this;
    if (rows.length > 1) {
      throw new AtlasHubError(0, { code: "many_rows", detail: "there is more than one row" });
    }
    return rows[0];
  }

  then<A = Rows<Result>, B = never>(
    done?: ((rows: Rows<Result>) => A | PromiseLike<A>) | null,
    failed?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const query = new URLSearchParams(this.filters);
    if (this.#columns.length > 0) query.set("select", this.#columns.join(","));
    if (this.#order.length > 0) query.set("order", this.#order.join(","));
    if (this.#limit !== undefined) query.set("limit", String(this.#limit));
    if (this.#offset !== undefined) query.set("offset", String(this.#offset));
    if (this.#count) query.set("count", "exact");
    return this.#http.json<Rows<Result>>(this.#path, { query }).then(done, failed);
  }
}

/** A change of the rows that filters name. */
export class Write<Row> extends Filtered<Row> implements PromiseLike<Row[]> {
  readonly #http: Http;
  readonly #path: string;
  readonly #method: string;
  readonly #json: unknown;

  constructor(http: Http, path: string, method: string, json: unknown) {
    super();
    this.#http = http;
    this.#path = path;
    this.#method = method;
    this.#json = json;
  }

  then<A = Row[], B = never>(
    done?: ((rows: Row[]) => A | PromiseLike<A>) | null,
    failed?: ((error: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    const query = new URLSearchParams(this.filters);
    const sent = this.#http.json<{ rows: Row[] }>(this.#path, {
      method: this.#method,
      query,
      json: this.#json,
    });
    return sent.then((answer) => answer.rows).then(done, failed);
  }
}
