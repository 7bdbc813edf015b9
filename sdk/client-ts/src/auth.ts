import { AtlasHubError } from "./error.js";
import type { Http, Tokens } from "./http.js";
import { newPkce } from "./pkce.js";
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

/** Who the user is elsewhere. */
export interface Identity {
  id: string;
  provider: string;
  email: string | null;
  created_at: string;
  last_used_at: string;
  [member: string]: unknown;
}

/** A sign-in with a provider that has begun. */
export interface OAuthStart {
  /** Where to lead the browser. */
  url: string;
  /** Keep it until the browser is back: `finishOAuth` needs it. */
  verifier: string;
}

/** A password for one program, without the password. */
export interface AppPassword {
  id: string;
  name: string;
  created_at: string;
  last_used_at: string | null;
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

  /**
   * Begins to sign in with a provider of the project's. Lead the browser to
   * `url`; it comes back to `redirectTo`, which the project has to allow, with
   * a code (`codeFrom`) for `finishOAuth`.
   */
  async startOAuth(provider: string, redirectTo?: string): Promise<OAuthStart> {
    const { verifier, challenge } = await newPkce();
    const url = this.#http.address(`/v1/auth/oauth/${encodeURIComponent(provider)}`, {
      redirect_to: redirectTo,
      code_challenge: challenge,
      code_challenge_method: "S256",
    });
    return { url, verifier };
  }

  /**
   * Ends signing in with a provider, or linking one. After `totp_required` the
   * same code works once more, with `totp_code`.
   */
  async finishOAuth(answer: {
    code: string;
    verifier: string;
    totp_code?: string;
  }): Promise<Session> {
    const { code, verifier: code_verifier, totp_code } = answer;
    const body = { code, code_verifier, ...(totp_code && { totp_code }) };
    const tokens = await this.#call<TokenAnswer>("POST", "/oauth/token", body);
    return this.#begin(tokens, "signed_in");
  }

  /** With whom the signed-in user signs in. */
  async identities(): Promise<Identity[]> {
    const list = await this.#http.json<{ items: Identity[] }>("/v1/auth/identities");
    return list.items;
  }

  /** Begins to link an account elsewhere to the signed-in user; as `startOAuth`. */
  async linkIdentity(provider: string, redirectTo?: string): Promise<OAuthStart> {
    const { verifier, challenge: code_challenge } = await newPkce();
    const wanted = { provider, code_challenge, code_challenge_method: "S256" };
    const { url } = await this.#http.json<{ url: string }>("/v1/auth/identities", {
      method: "POST",
      json: { ...wanted, ...(redirectTo && { redirect_to: redirectTo }) },
    });
    return { url, verifier };
  }

  /** Unlinks one; the last way in stays (`last_way_in`). */
  async unlinkIdentity(id: string): Promise<void> {
    await this.#http.json(`/v1/auth/identities/${encodeURIComponent(id)}`, { method: "DELETE" });
  }

  /**
   * Ends the session, here in any case and on the server if it answers: all of
   * the user's sessions, unless `scope` is `local`.
   */
  async signOut(options: { scope?: "local" } = {}): Promise<void> {
    await this.#renewing?.catch(() => undefined);
    const session = await this.#store.load();
    if (!session) return;
    try {
      await this.#http.json("/v1/auth/logout", {
        method: "POST",
        query: { scope: options.scope },
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

  /** Sets another password; all sessions end but the one that begins here. */
  async changePassword(current_password: string, password: string): Promise<Session> {
    const answer = await this.#http.json<TokenAnswer>("/v1/auth/password", {
      method: "PUT",
      json: { current_password, password },
    });
    return this.#begin(answer, "refreshed");
  }

  /** Sends a link to a new password, if there is such an account. */
  async forgotPassword(email: string, redirect_to?: string): Promise<void> {
    await this.#call("POST", "/forgot-password", { email, ...(redirect_to && { redirect_to }) });
  }

  /** Sets a new password; all sessions of the account end. */
  async resetPassword(token: string, password: string): Promise<void> {
    await this.#call("POST", "/reset-password", { token, password });
  }

  /** Sends the signed-in user a link that confirms the address. */
  async requestVerification(): Promise<void> {
    await this.#http.json("/v1/auth/verify-email", { method: "POST", json: {} });
  }

  /** Confirms an address with the token of the message. */
  async verifyEmail(token: string): Promise<void> {
    await this.#call("POST", "/verify-email", { token });
  }

  /** Sends a link that signs in. */
  async sendMagicLink(email: string, redirect_to?: string): Promise<void> {
    await this.#call("POST", "/magic-link", { email, ...(redirect_to && { redirect_to }) });
  }

  /** Signs in with the token of such a link. */
  async signInWithMagicLink(token: string, totp_code?: string): Promise<Session> {
    const body = { token, ...(totp_code && { totp_code }) };
    return this.#begin(await this.#call<TokenAnswer>("POST", "/magic-link", body), "signed_in");
  }

  /** Sets the user's picture: PNG, JPEG or WebP, cut to a square. */
  async setAvatar(image: Blob): Promise<User> {
    const body = new FormData();
    body.set("avatar", image);
    return this.#http.json("/users/me/avatar", { method: "POST", body });
  }

  /** Removes the user's picture. */
  async removeAvatar(): Promise<void> {
    await this.#http.json("/users/me/avatar", { method: "DELETE" });
  }

  /** Passwords of programs that know nothing of sessions. */
  async appPasswords(): Promise<AppPassword[]> {
    const list = await this.#http.json<{ items: AppPassword[] }>("/v1/auth/app-passwords");
    return list.items;
  }

  /** Makes one; the password is told this once. */
  async createAppPassword(name: string): Promise<AppPassword & { password: string }> {
    return this.#http.json("/v1/auth/app-passwords", { method: "POST", json: { name } });
  }

  /** Ends one. */
  async revokeAppPassword(id: string): Promise<void> {
    const path = `/v1/auth/app-passwords/${encodeURIComponent(id)}`;
    await this.#http.json(path, { method: "DELETE" });
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
