/** What the server refused, and why: RFC 9457. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly fields: Record<string, unknown> = {},
  ) {
    super(message);
    this.name = "Refused";
  }
}

/** The refusal that a response tells of. */
export async function refusal(response: Response): Promise<Refused> {
  let body: Record<string, unknown> = {};
  try {
    body = (await response.json()) as Record<string, unknown>;
  } catch {
    // Something between here and there answered.
  }
  const text = (name: string) => (typeof body[name] === "string" ? body[name] : undefined);
  return new Refused(response.status, text("code") ?? `http_${response.status}`, text("detail") ?? response.statusText, body);
}
