/** A signed-in user's tokens. */
export interface Session {
  access_token: string;
  refresh_token: string;
  /** When the access token ends, milliseconds since 1970-01-01 UTC. */
  expires_at: number;
}

/**
 * Where a session lives between visits. What it holds signs its user in:
 * a script that runs in the page's origin can read a store in the browser.
 */
export interface SessionStore {
  load(): Session | undefined | Promise<Session | undefined>;
  save(session: Session | undefined): void | Promise<void>;
}

/** Forgets the session with the page or the process. The default. */
export function memoryStore(): SessionStore {
  let kept: Session | undefined;
  return {
    load: () => kept,
    save: (session) => {
      kept = session;
    },
  };
}

/** Keeps the session in the browser's `localStorage` under `name`. */
export function browserStore(name: string, storage: Storage = globalThis.localStorage): SessionStore {
  return {
    load() {
      const text = storage.getItem(name);
      if (text === null) return undefined;
      try {
        const found: unknown = JSON.parse(text);
        return isSession(found) ? found : undefined;
      } catch {
        return undefined;
      }
    },
    save(session) {
      if (session) storage.setItem(name, JSON.stringify(session));
      else storage.removeItem(name);
    },
  };
}

function isSession(value: unknown): value is Session {
  if (typeof value !== "object" || value === null) return false;
  const { access_token, refresh_token, expires_at } = value as Partial<Session>;
  return (
    typeof access_token === "string" &&
    typeof refresh_token === "string" &&
    typeof expires_at === "number"
  );
}
