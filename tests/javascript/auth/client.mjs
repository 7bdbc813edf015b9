// @supabase/auth-js, as npm has it, against the projects that
// tests/it/auth_js.rs has made. Ends with 1 when a test fails.
//
// ATLASHUB_TEST_AUTH_JS: the folder with the client in its node_modules
// ATLASHUB_TEST_URL: the project's address, with /auth/v1
// ATLASHUB_TEST_SECRET, ATLASHUB_TEST_PUBLISHABLE: its keys
// ATLASHUB_TEST_STRICT_URL, ATLASHUB_TEST_STRICT_PUBLISHABLE: a project where
//   an address has to be proven first
// ATLASHUB_TEST_OUTBOX: the folder where mails land

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import test from 'node:test'
import { mailTo, totpCode as code } from '../account.mjs'
import { Browser } from './browser.mjs'

const env = process.env
const require = createRequire(`${env.ATLASHUB_TEST_AUTH_JS}/`)
const { GoTrueAdminApi, GoTrueClient } = require('@supabase/auth-js')

const APP = 'https://app.example.com/welcome'
const PASSWORD = 'correct horse battery'

/** A client as an application makes one. */
const client = (options = {}) =>
  new GoTrueClient({
    url: env.ATLASHUB_TEST_URL,
    headers: { apikey: env.ATLASHUB_TEST_PUBLISHABLE },
    autoRefreshToken: false,
    storageKey: `k${Math.random()}`,
    ...options,
  })
const strict = (options = {}) =>
  client({
    url: env.ATLASHUB_TEST_STRICT_URL,
    headers: { apikey: env.ATLASHUB_TEST_STRICT_PUBLISHABLE },
    ...options,
  })
const key = env.ATLASHUB_TEST_SECRET
const admin = new GoTrueAdminApi({
  url: env.ATLASHUB_TEST_URL,
  headers: { apikey: key, Authorization: `Bearer ${key}` },
})

/** The data of an answer without an error. */
const data = async (asked) => {
  const { data, error } = await asked
  assert.equal(error, null, `${error?.status} ${error?.code}: ${error?.message}`)
  return data
}
/** The code and status of an answer with an error. */
const refusal = async (asked) => {
  const { data, error } = await asked
  assert.ok(error, `no error in ${JSON.stringify(data)}`)
  return [error.status, error.code]
}

let people = 0
const someone = () => `u${people++}.${process.pid}@example.com`

const signedUp = async (options) => {
  const email = someone()
  const auth = client(options)
  const { user, session } = await data(auth.signUp({ email, password: PASSWORD }))
  return { auth, email, user, session }
}

/** The link in the newest mail to an address, once there are `count`. */
const link = async (email, count = 1) =>
  (await mailTo(env.ATLASHUB_TEST_OUTBOX, email, count)).match(/https?:\S+/)[0]

/** Presses the button of the page that a link leads to; where it leads on. */
const follow = async (address) => {
  const browser = new Browser()
  const page = await browser.get(address)
  assert.equal(page.status, 200, page.text)
  const sent = await browser.submit(page)
  assert.equal(sent.status, 303, sent.text)
  return new URL(sent.location)
}

test('signing up and in, with the profile that the host keeps', async () => {
  const email = someone()
  const auth = client()
  const options = { data: { name: 'Ada', handle: `ada${process.pid}` } }
  const made = await data(auth.signUp({ email, password: PASSWORD, options }))
  assert.equal(made.user.email, email)
  assert.equal(made.user.user_metadata.name, 'Ada')
  assert.equal(made.session.token_type, 'bearer')
  const again = client().signUp({ email, password: PASSWORD })
  assert.deepEqual(await refusal(again), [422, 'user_already_exists'])
  const weak = await client().signUp({ email: someone(), password: 'short' })
  assert.deepEqual([weak.error.name, weak.error.code], ['AuthWeakPasswordError', 'weak_password'])
  const wrong = client().signInWithPassword({ email, password: 'another phrase' })
  assert.deepEqual(await refusal(wrong), [400, 'invalid_credentials'])
  const other = client()
  const { session } = await data(other.signInWithPassword({ email, password: PASSWORD }))
  assert.equal((await data(other.getUser())).user.id, made.user.id)
  assert.equal((await data(other.getClaims())).claims.sub, made.user.id)
  const changed = await data(other.updateUser({ data: { name: 'Ada L.' } }))
  assert.equal(changed.user.user_metadata.name, 'Ada L.')
  assert.deepEqual(await refusal(other.updateUser({ data: { shoe: 42 } })), [400, 'validation_failed'])
  const taken = await data(
    client().setSession({ access_token: session.access_token, refresh_token: session.refresh_token }),
  )
  assert.equal(taken.user.id, made.user.id)
})

test('errors have the form of the version that is asked for', async () => {
  const ask = (headers) =>
    fetch(`${env.ATLASHUB_TEST_URL}/token?grant_type=password`, {
      method: 'POST',
      headers: { apikey: env.ATLASHUB_TEST_PUBLISHABLE, 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ email: 'nobody@example.com', password: PASSWORD }),
    })
  const present = await (await ask({ 'x-supabase-api-version': '2024-01-01' })).json()
  assert.deepEqual(Object.keys(present).sort(), ['code', 'message'])
  assert.equal(present.code, 'invalid_credentials')
  const before = await (await ask({})).json()
  assert.deepEqual([before.code, before.error_code], [400, 'invalid_credentials'])
  assert.equal(before.msg, present.message)
})

test('the form without a version has the keys that verify tokens', async () => {
  const { session } = await signedUp()
  const reply = await fetch(`${env.ATLASHUB_TEST_URL}/.well-known/jwks.json`, {
    headers: { apikey: env.ATLASHUB_TEST_PUBLISHABLE },
  })
  const { keys } = await reply.json()
  const header = JSON.parse(Buffer.from(session.access_token.split('.')[0], 'base64url'))
  assert.ok(keys.some((key) => key.kid === header.kid && key.alg === 'EdDSA'))
})

test('settings say how one signs in', async () => {
  const reply = await fetch(`${env.ATLASHUB_TEST_URL}/settings`, {
    headers: { apikey: env.ATLASHUB_TEST_PUBLISHABLE },
  })
  const said = await reply.json()
  assert.deepEqual(said.external, { email: true, id: true, phone: false })
  assert.deepEqual([said.disable_signup, said.mailer_autoconfirm], [false, true])
})

test('refreshing rotates, and a stolen token ends the session', async () => {
  const { auth, session } = await signedUp()
  const second = (await data(auth.refreshSession())).session
  assert.notEqual(second.refresh_token, session.refresh_token)
  const third = (await data(auth.refreshSession())).session
  const thief = client().refreshSession({ refresh_token: session.refresh_token })
  assert.deepEqual(await refusal(thief), [400, 'refresh_token_not_found'])
  const owner = client().refreshSession({ refresh_token: third.refresh_token })
  assert.deepEqual(await refusal(owner), [400, 'refresh_token_not_found'])
})

test('signing out has three scopes', async () => {
  const { auth: first, email } = await signedUp()
  const enter = async () => {
    const auth = client()
    await data(auth.signInWithPassword({ email, password: PASSWORD }))
    return { auth, token: (await data(auth.getSession())).session.access_token }
  }
  const lives = async ({ token }) => (await client().getUser(token)).error === null
  const [one, two, three] = [await enter(), await enter(), await enter()]
  await first.signOut({ scope: 'local' })
  assert.deepEqual([await lives(one), await lives(two)], [true, true])
  assert.equal((await one.auth.signOut({ scope: 'others' })).error, null)
  assert.deepEqual([await lives(one), await lives(two), await lives(three)], [true, false, false])
  const four = await enter()
  assert.equal((await one.auth.signOut()).error, null)
  assert.deepEqual([await lives(one), await lives(four)], [false, false])
})

test('another password needs the present one and ends the other sessions', async () => {
  const { auth, email } = await signedUp()
  const other = client()
  await data(other.signInWithPassword({ email, password: PASSWORD }))
  const password = 'a very different phrase'
  assert.deepEqual(await refusal(auth.updateUser({ password })), [400, 'invalid_credentials'])
  await data(auth.updateUser({ password, current_password: PASSWORD }))
  await data(auth.getUser())
  const token = (await data(other.getSession())).session.access_token
  assert.equal((await client().getUser(token)).error.status, 401)
  await data(client().signInWithPassword({ email, password }))
})

test('a second factor: enrolled, asked for, and until then nothing else', async () => {
  const { auth, email } = await signedUp()
  const made = await data(auth.mfa.enroll({ factorType: 'totp', friendlyName: 'phone' }))
  assert.ok(made.totp.qr_code.startsWith('data:image/svg+xml;utf-8,<'))
  const factorId = made.id
  const wrong = auth.mfa.challengeAndVerify({ factorId, code: '000000' })
  assert.deepEqual(await refusal(wrong), [422, 'mfa_verification_failed'])
  await data(auth.mfa.challengeAndVerify({ factorId, code: code(made.totp.secret) }))
  const levels = async (of) => {
    const { currentLevel, nextLevel } = await data(of.mfa.getAuthenticatorAssuranceLevel())
    return [currentLevel, nextLevel]
  }
  assert.deepEqual(await levels(auth), ['aal2', 'aal2'])
  const other = client()
  const { session } = await data(other.signInWithPassword({ email, password: PASSWORD }))
  assert.deepEqual(await levels(other), ['aal1', 'aal2'])
  // This session is good for showing the second factor only.
  assert.deepEqual(await refusal(other.updateUser({ data: { name: 'x' } })), [403, 'insufficient_aal'])
  assert.deepEqual(await refusal(other.mfa.unenroll({ factorId })), [403, 'insufficient_aal'])
  const base = env.ATLASHUB_TEST_URL.replace('/auth/v1', '')
  for (const path of ['/v1/auth/me', '/hello', '/v1/auth/admin/users']) {
    for (const apikey of [env.ATLASHUB_TEST_PUBLISHABLE, key]) {
      const headers = { apikey, authorization: `Bearer ${session.access_token}` }
      const reply = await fetch(`${base}${path}`, { headers })
      assert.deepEqual([path, reply.status, (await reply.json()).code], [path, 401, 'totp_required'])
    }
  }
  // Nor does it end those of the user.
  assert.equal((await other.signOut({ scope: 'global' })).error, null)
  await data(auth.getUser())
  const third = client()
  await data(third.signInWithPassword({ email, password: PASSWORD }))
  await data(third.refreshSession())
  assert.deepEqual(await levels(third), ['aal1', 'aal2'])
  const listed = await data(third.mfa.listFactors())
  assert.deepEqual(listed.totp.map((one) => one.id), [factorId])
  await data(third.mfa.challengeAndVerify({ factorId, code: code(made.totp.secret, 1) }))
  assert.deepEqual(await levels(third), ['aal2', 'aal2'])
  await data(third.updateUser({ data: { name: 'in' } }))
  // A code was shown just now: it does for removing the factor.
  await data(third.mfa.unenroll({ factorId }))
  assert.deepEqual((await data(third.mfa.listFactors())).all, [])
})

test('a link that signs in, for a client with PKCE and for one without', async () => {
  const email = someone()
  const auth = client({ flowType: 'pkce' })
  // It makes a user of who is none.
  await data(auth.signInWithOtp({ email, options: { emailRedirectTo: APP } }))
  const to = await follow(await link(email))
  assert.equal(to.origin + to.pathname, APP)
  assert.deepEqual([...to.searchParams.keys(), to.hash], ['code', ''])
  const stranger = client({ flowType: 'pkce' })
  await data(stranger.signInWithOtp({ email: someone() }))
  const stolen = stranger.exchangeCodeForSession(to.searchParams.get('code'))
  assert.deepEqual(await refusal(stolen), [404, 'flow_state_not_found'])
  const { user } = await data(auth.exchangeCodeForSession(to.searchParams.get('code')))
  assert.equal(user.email, email)
  assert.ok(user.email_confirmed_at)
  await data(client().signInWithOtp({ email, options: { emailRedirectTo: APP } }))
  const second = new URLSearchParams((await follow(await link(email, 2))).hash.slice(1))
  assert.equal(second.get('type'), 'magiclink')
  assert.equal((await client().getUser(second.get('access_token'))).data.user.id, user.id)
  await data(client().signInWithOtp({ email }))
  const token = new URL(await link(email, 3)).searchParams.get('token')
  const verified = await data(client().verifyOtp({ type: 'email', token_hash: token }))
  assert.equal(verified.session.user.id, user.id)
  const again = client().verifyOtp({ type: 'email', token_hash: token })
  assert.deepEqual(await refusal(again), [403, 'otp_expired'])
  const nobody = someone()
  await data(client().signInWithOtp({ email: nobody, options: { shouldCreateUser: false } }))
  const found = (await data(admin.listUsers({ page: 1, perPage: 1000 }))).users
  assert.ok(!found.some((one) => one.email === nobody))
})

test('an address is proven by a link, which signs in', async () => {
  const email = someone()
  const auth = strict({ flowType: 'pkce' })
  const made = await data(auth.signUp({ email, password: PASSWORD, options: { emailRedirectTo: APP } }))
  assert.deepEqual([made.user.email, made.session], [email, null])
  const early = strict().signInWithPassword({ email, password: PASSWORD })
  assert.deepEqual(await refusal(early), [400, 'email_not_confirmed'])
  const to = await follow(await link(email))
  await data(auth.exchangeCodeForSession(to.searchParams.get('code')))
  await data(strict().signInWithPassword({ email, password: PASSWORD }))
  const other = someone()
  await data(strict().signUp({ email: other, password: PASSWORD }))
  await link(other)
  await data(strict().resend({ type: 'signup', email: other }))
  const token = new URL(await link(other, 2)).searchParams.get('token')
  const { session } = await data(strict().verifyOtp({ type: 'signup', token_hash: token }))
  assert.equal(session.user.email, other)
})

test('a forgotten password is set anew by who got the link', async () => {
  const { email } = await signedUp()
  const auth = client({ flowType: 'pkce' })
  await data(auth.resetPasswordForEmail(email, { redirectTo: APP }))
  const to = await follow(await link(email))
  const entered = await data(auth.exchangeCodeForSession(to.searchParams.get('code')))
  assert.equal(entered.redirectType, 'recovery')
  const password = 'a phrase that is new'
  await data(auth.updateUser({ password }))
  // Once: for another one the present is asked for.
  const again = auth.updateUser({ password: 'yet another phrase' })
  assert.deepEqual(await refusal(again), [400, 'invalid_credentials'])
  await data(client().signInWithPassword({ email, password }))
  await data(client().resetPasswordForEmail(email))
  const token = new URL(await link(email, 2)).searchParams.get('token')
  const second = client()
  await data(second.verifyOtp({ type: 'recovery', token_hash: token }))
  await data(second.updateUser({ password: 'and one more of them' }))
  await data(client().signInWithPassword({ email, password: 'and one more of them' }))
})

test('a link does not stand for the second factor', async () => {
  const { auth, email } = await signedUp()
  const made = await data(auth.mfa.enroll({ factorType: 'totp' }))
  await data(auth.mfa.challengeAndVerify({ factorId: made.id, code: code(made.totp.secret) }))
  const other = client()
  await data(other.resetPasswordForEmail(email))
  const token = new URL(await link(email)).searchParams.get('token')
  await data(other.verifyOtp({ type: 'recovery', token_hash: token }))
  const password = 'a phrase of the thief'
  assert.deepEqual(await refusal(other.updateUser({ password })), [403, 'insufficient_aal'])
  const shown = code(made.totp.secret, 1)
  await data(other.mfa.challengeAndVerify({ factorId: made.id, code: shown }))
  await data(other.updateUser({ password }))
})

test('signing in with somebody else', async () => {
  const auth = client({ flowType: 'pkce' })
  const options = { redirectTo: APP, skipBrowserRedirect: true }
  const { url } = await data(auth.signInWithOAuth({ provider: 'id', options }))
  const email = someone()
  const browser = new Browser()
  const to = new URL(await browser.enter(url, email, APP))
  const { user } = await data(auth.exchangeCodeForSession(to.searchParams.get('code')))
  assert.equal(user.email, email)
  assert.deepEqual(user.identities.map((one) => one.provider), ['id'])
  assert.deepEqual(user.app_metadata.providers, ['id'])
  const last = auth.unlinkIdentity(user.identities[0])
  assert.equal((await refusal(last))[1], 'last_way_in')
  await data(auth.getClaims())
})

test('linking another account while signed in', async () => {
  const { auth, email, user } = await signedUp({ flowType: 'pkce' })
  const options = { redirectTo: APP, skipBrowserRedirect: true }
  const { url } = await data(auth.linkIdentity({ provider: 'id', options }))
  const to = new URL(await new Browser().enter(url, someone(), APP))
  const entered = await data(auth.exchangeCodeForSession(to.searchParams.get('code')))
  assert.deepEqual([entered.user.id, entered.user.email], [user.id, email])
  const { identities } = await data(auth.getUserIdentities())
  assert.deepEqual(identities.map((one) => one.provider), ['id'])
  await data(auth.unlinkIdentity(identities[0]))
  assert.deepEqual((await data(auth.getUserIdentities())).identities, [])
})

test('looking after users with a secret key', async () => {
  const email = someone()
  const { user } = await data(
    admin.createUser({ email, password: PASSWORD, email_confirm: true, user_metadata: { name: 'Bob' } }),
  )
  assert.ok(user.email_confirmed_at)
  assert.equal((await data(admin.getUserById(user.id))).user.user_metadata.name, 'Bob')
  const roles = { app_metadata: { roles: ['viewer'] } }
  const changed = await data(admin.updateUserById(user.id, roles))
  assert.deepEqual(changed.user.app_metadata.roles, ['viewer'])
  await data(admin.updateUserById(user.id, { password: 'set by somebody else' }))
  const bob = client()
  await data(bob.signInWithPassword({ email, password: 'set by somebody else' }))
  await data(admin.updateUserById(user.id, { ban_duration: '24h' }))
  assert.equal((await bob.getUser()).error.status, 401)
  await data(admin.updateUserById(user.id, { ban_duration: 'none' }))
  await data(bob.signInWithPassword({ email, password: 'set by somebody else' }))
  const made = await data(bob.mfa.enroll({ factorType: 'totp' }))
  await data(bob.mfa.challengeAndVerify({ factorId: made.id, code: code(made.totp.secret) }))
  const { factors } = await data(admin.mfa.listFactors({ userId: user.id }))
  assert.deepEqual(factors.map((one) => one.status), ['verified'])
  await data(admin.mfa.deleteFactor({ userId: user.id, id: factors[0].id }))
  assert.deepEqual((await data(admin.mfa.listFactors({ userId: user.id }))).factors, [])
  const first = await data(admin.listUsers({ page: 1, perPage: 2 }))
  assert.deepEqual([first.users.length, first.nextPage], [2, 2])
  assert.ok(first.total > 2)
  const second = await data(admin.listUsers({ page: 2, perPage: 2 }))
  assert.ok(!second.users.some((one) => first.users.some((seen) => seen.id === one.id)))
  await data(admin.deleteUser(user.id))
  assert.deepEqual(await refusal(admin.getUserById(user.id)), [404, 'user_not_found'])
  const publishable = new GoTrueAdminApi({
    url: env.ATLASHUB_TEST_URL,
    headers: { apikey: env.ATLASHUB_TEST_PUBLISHABLE },
  })
  assert.deepEqual(await refusal(publishable.listUsers()), [403, 'not_admin'])
})

test('links for who sends mails of their own, and invitations', async () => {
  const email = someone()
  const options = { redirectTo: APP }
  const made = await data(admin.generateLink({ type: 'signup', email, password: PASSWORD, options }))
  assert.equal(made.user.email, email)
  assert.equal(made.properties.verification_type, 'signup')
  const to = new URLSearchParams((await follow(made.properties.action_link)).hash.slice(1))
  assert.equal((await data(client().getUser(to.get('access_token')))).user.id, made.user.id)
  for (const type of ['magiclink', 'recovery']) {
    const { properties } = await data(admin.generateLink({ type, email, options }))
    assert.equal(properties.redirect_to, APP)
    const verified = client().verifyOtp({ type, token_hash: properties.hashed_token })
    assert.equal((await data(verified)).user.id, made.user.id)
  }
  const unknown = admin.generateLink({ type: 'recovery', email: someone(), options })
  assert.deepEqual(await refusal(unknown), [404, 'user_not_found'])
  const elsewhere = admin.generateLink({ type: 'magiclink', email, options: { redirectTo: 'https://evil.example/' } })
  assert.deepEqual(await refusal(elsewhere), [400, 'validation_failed'])
  const guest = someone()
  await data(admin.inviteUserByEmail(guest, options))
  const hash = new URLSearchParams((await follow(await link(guest))).hash.slice(1))
  assert.equal(hash.get('type'), 'invite')
  const auth = client()
  const tokens = { access_token: hash.get('access_token'), refresh_token: hash.get('refresh_token') }
  await data(auth.setSession(tokens))
  await data(auth.updateUser({ password: PASSWORD }))
  await data(client().signInWithPassword({ email: guest, password: PASSWORD }))
})
