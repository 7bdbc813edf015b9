import { AtlasHubError } from "./error.js";
import type { Http, Tokens } from "./http.js";
import type { Session, SessionStore } from "./session.js";

/** A user as they see themselves. Servers may add members. */
export interface User {
  id: string;
  email: string | null;
  handle?: string | null;
  name?: string | null;
  bio?: string | null;
  roles?: string[];
  [member: string]: unknown;
}

/** One of the user's sessions. */
export interface SessionInfo {
  id: string;
  created_at: string;
  [member: string]: unknown;
}

/** What came of signing up. */
export interface SignUp {
  user: User;
  /** None where the address has to be verified first. */
  session: Session | undefined;
}

interface TokenAnswer {
  access_token: string;
  refresh_token: string;
  expires_in: number;
}

/** What happened to the session. */
export type AuthEvent = "signed_in" | "refreshed" | "signed_out";
export type AuthListener = (event: AuthEvent, session: Session | undefined) => void;

/** Renew this long before the access token ends, milliseconds. */
const EARLY = 30_000;

/** Signing up, in and out, and the signed-in user's own account. */
export class Auth implements Tokens {
  readonly #http: Http;
  readonly #store: SessionStore;
  readonly #listeners = new Set<AuthListener>();
  /** The refresh that is under way: a refresh token may be used once only. */
  #renewing: Promise<Session | undefined> | undefined;

  constructor(http: Http, store: SessionStore) {
    this.#http = http;
    this.#store = store;
    http.use(this);
  }

  /** Makes an account and, unless its address has to be verified first, signs in. */
  async signUp(account: {
    email: string;
    password: string;
    name?: string;
    handle?: string;
  }): Promise<SignUp> {
    const answer = await this.#call<{ user: User } & Partial<TokenAnswer>>(
      "POST",
      "/signup",
      account,
    );
    const { user, access_token, refresh_token, expires_in } = answer;
    if (!access_token || !refresh_token || !expires_in) return { user, session: undefined };
    const tokens = { access_token, refresh_token, expires_in };
    return { user, session: await this.#begin(tokens, "signed_in") };
  }

  /**
   * Signs in. Where a second factor is set up, the first try without
   * `totp_code` fails with the code `totp_required`.
   */
  async signIn(credentials: {
    email: string;
    password: string;
    totp_code?: string;
  }): Promise<Session> {
    const answer = await this.#call<TokenAnswer>("POST", "/login", credentials);
    return this.#begin(answer, "signed_in");
  }

  /** Ends the session, here in any case and on the server if it answers. */
  async signOut(): Promise<void> {
    await this.#renewing?.catch(() => undefined);
    const session = await this.#store.load();
    if (!session) return;
    try {
      await this.#http.json("/v1/auth/logout", {
        method: "POST",
        json: { refresh_token: session.refresh_token },
        headers: { authorization: `Bearer ${session.access_token}` },
        withSession: false,
      });
    } catch (error) {
      // A session that has ended already is what was wanted.
      if (!(error instanceof AtlasHubError && error.status === 401)) throw error;
    } finally {
      await this.#keep(undefined, "signed_out");
    }
  }

  /** The session as it is kept, renewed when its access token has ended. */
  async session(): Promise<Session | undefined> {
    const session = await this.#store.load();
    if (!session || session.expires_at - EARLY > Date.now()) return session;
    return this.#renew(session);
  }

  /** The signed-in user. */
  async user(): Promise<User> {
    return this.#http.json("/v1/auth/me");
  }

  /** Changes name, bio or handle. */
  async updateUser(changes: { name?: string; bio?: string; handle?: string }): Promise<User> {
    return this.#http.json("/users/me", { method: "PUT", json: changes });
  }

  /** Sends a link to a new password, if there is such an account. */
  async forgotPassword(email: string): Promise<void> {
    await this.#call("POST", "/forgot-password", { email });
  }

  /** Sets a new password; all sessions of the account end. */
  async resetPassword(token: string, password: string): Promise<void> {
    await this.#call("POST", "/reset-password", { token, password });
  }

  /** Confirms an address with the token of the message. */
  async verifyEmail(token: string): Promise<void> {
    await this.#call("POST", "/verify-email", { token });
  }

  /** Sends a link that signs in. */
  async sendMagicLink(email: string, redirect_to?: string): Promise<void> {
    await this.#call("POST", "/magic-link", { email, ...(redirect_to && { redirect_to }) });
  }

  /** Begins to set up a second factor; `verifyTotp` ends it. */
  async enrollTotp(): Promise<{
    secret: string;
    otpauth_url: string;
    /** The address as a QR code: an SVG document. */
    qr_svg: string;
    recovery_codes: string[];
  }> {
    return this.#http.json("/v1/auth/totp/enroll", { method: "POST", json: {} });
  }

  /** Switches the second factor on with a code of it. */
  async verifyTotp(code: string): Promise<void> {
    await this.#http.json("/v1/auth/totp/verify", { method: "POST", json: { code } });
  }

  /** Switches the second factor off, with a code of it or a recovery code. */
  async removeTotp(code?: string): Promise<void> {
    await this.#http.json("/v1/auth/totp", { method: "DELETE", json: { code } });
  }

  /** The user's sessions on all devices. */
  async sessions(): Promise<SessionInfo[]> {
    const list = await this.#http.json<{ items: SessionInfo[] }>("/v1/auth/sessions");
    return list.items;
  }

  /** Ends one of them. */
  async revokeSession(id: string): Promise<void> {
    await this.#http.json(`/v1/auth/sessions/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  /** Calls `listener` at each change; what is returned ends that. */
  onChange(listener: AuthListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async current(): Promise<string | undefined> {
    return (await this.session())?.access_token;
  }

  async renew(refused: string): Promise<string | undefined> {
    const session = await this.#store.load();
    if (!session) return undefined;
    // Another call has renewed it in the meantime.
    if (session.access_token !== refused) return session.access_token;
    return (await this.#renew(session))?.access_token;
  }

  #renew(session: Session): Promise<Session | undefined> {
    this.#renewing ??= this.#refresh(session).finally(() => {
      this.#renewing = undefined;
    });
    return this.#renewing;
  }

  async #refresh(session: Session): Promise<Session | undefined> {
    const { refresh_token } = session;
    try {
      const answer = await this.#call<TokenAnswer>("POST", "/refresh", { refresh_token });
      return await this.#begin(answer, "refreshed");
    } catch (error) {
      if (error instanceof AtlasHubError && [400, 401, 403].includes(error.status)) {
        await this.#keep(undefined, "signed_out");
        return undefined;
      }
      // No answer is no end: the session stays for the next try.
      throw error;
    }
  }

  async #begin(answer: TokenAnswer, event: AuthEvent): Promise<Session> {
    const session: Session = {
      access_token: answer.access_token,
      refresh_token: answer.refresh_token,
      expires_at: Date.now() + answer.expires_in * 1000,
    };
    await this.#keep(session, event);
    return session;
  }

  async #keep(session: Session | undefined, event: AuthEvent): Promise<void> {
    await this.#store.save(session);
    for (const listener of this.#listeners) listener(event, session);
  }

  #call<T>(method: string, path: string, json: unknown): Promise<T> {
    return this.#http.json<T>(`/v1/auth${path}`, { method, json, withSession: false });
  }
}
