// A user's own account by sdk/client-ts: mails, the second factor, the picture,
// signing in with others. Against the project that tests/it/client_ts.rs has
// made.
//
// ATLASHUB_TEST_CLIENT: the client's index.js
// ATLASHUB_TEST_URL: the project's address
// ATLASHUB_TEST_PUBLISHABLE: its publishable key
// ATLASHUB_TEST_OUTBOX: the folder where mails land
// ATLASHUB_TEST_PICTURE: a PNG

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import test from 'node:test'
import { pathToFileURL } from 'node:url'
import { mailTo, totpCode } from '../account.mjs'
import { Browser } from '../auth/browser.mjs'

const env = process.env
const { codeFrom, createClient } = await import(pathToFileURL(env.ATLASHUB_TEST_CLIENT))
const APP = 'https://app.example.com/welcome'
const password = 'correct horse battery'
const client = () => createClient({ url: env.ATLASHUB_TEST_URL, key: env.ATLASHUB_TEST_PUBLISHABLE })

const signedIn = async (name) => {
  const hub = client()
  const email = `${name}@example.com`
  const { user } = await hub.auth.signUp({ email, password })
  return { hub, email, user }
}
/** The token in the newest mail to an address. */
const token = async (email, count) =>
  (await mailTo(env.ATLASHUB_TEST_OUTBOX, email, count)).match(/token=([\w-]+)/)[1]

test('an address is proven, and a forgotten password is replaced', async () => {
  const { hub, email } = await signedIn('ida')
  assert.equal((await hub.auth.user()).email_verified, false)
  await hub.auth.requestVerification()
  await hub.auth.verifyEmail(await token(email, 1))
  assert.equal((await hub.auth.user()).email_verified, true)
  await client().auth.forgotPassword(email, APP)
  const reset = await token(email, 2)
  await client().auth.resetPassword(reset, 'a very different phrase')
  await assert.rejects(client().auth.signIn({ email, password }), { code: 'invalid_credentials' })
  await client().auth.signIn({ email, password: 'a very different phrase' })
  await assert.rejects(client().auth.resetPassword(reset, password), (error) => error.status < 500)
})

test('a link in a mail signs in once', async () => {
  const { email, user } = await signedIn('jon')
  const hub = client()
  await hub.auth.sendMagicLink(email, APP)
  const link = await token(email, 1)
  await hub.auth.signInWithMagicLink(link)
  assert.equal((await hub.auth.user()).id, user.id)
  await assert.rejects(client().auth.signInWithMagicLink(link), (error) => error.status < 500)
})

test('another password ends the other sessions and goes on here', async () => {
  const { hub, email } = await signedIn('kim')
  const other = client()
  await other.auth.signIn({ email, password })
  await assert.rejects(hub.auth.changePassword('wrong', 'a very different phrase'), { status: 401 })
  await hub.auth.changePassword(password, 'a very different phrase')
  assert.equal((await hub.auth.user()).email, email)
  await assert.rejects(other.auth.user(), { status: 401 })
  const third = client()
  await third.auth.signIn({ email, password: 'a very different phrase' })
  await third.auth.signOut({ scope: 'local' })
  assert.equal((await hub.auth.user()).email, email)
})

test('a second factor is set up, asked for and switched off', async () => {
  const { hub, email } = await signedIn('lea')
  const { secret, otpauth_url, qr_svg, recovery_codes } = await hub.auth.enrollTotp()
  assert.ok(otpauth_url.startsWith('otpauth://totp/') && qr_svg.includes('<svg'))
  await hub.auth.verifyTotp(totpCode(secret))
  const again = client()
  await assert.rejects(again.auth.signIn({ email, password }), { code: 'totp_required' })
  await again.auth.signIn({ email, password, totp_code: totpCode(secret, 1) })
  await client().auth.signIn({ email, password, totp_code: recovery_codes[0] })
  await again.auth.removeTotp(recovery_codes[1])
  await client().auth.signIn({ email, password })
})

test('a user has a picture and passwords for programs', async () => {
  const { hub } = await signedIn('max')
  const picture = new Blob([readFileSync(env.ATLASHUB_TEST_PICTURE)], { type: 'image/png' })
  const { avatar } = await hub.auth.setAvatar(picture)
  assert.equal((await fetch(avatar)).headers.get('content-type').split('/')[0], 'image')
  await hub.auth.removeAvatar()
  assert.equal((await hub.auth.user()).avatar, null)
  const made = await hub.auth.createAppPassword('my drive')
  assert.ok(made.password.length > 10)
  const [listed, ...others] = await hub.auth.appPasswords()
  assert.deepEqual([listed.id, listed.name, 'password' in listed, others], [made.id, 'my drive', false, []])
  await hub.auth.revokeAppPassword(made.id)
  assert.deepEqual(await hub.auth.appPasswords(), [])
})

test('somebody signs in with a provider, and links an account there', async () => {
  const hub = client()
  const { url, verifier } = await hub.auth.startOAuth('id', APP)
  const back = await new Browser().enter(url, 'nia@example.com', APP)
  const code = codeFrom(back)
  await assert.rejects(client().auth.finishOAuth({ code, verifier: 'a'.repeat(43) }), (error) => error.status < 500)
  const begun = await hub.auth.startOAuth('id', APP)
  const again = codeFrom(await new Browser().enter(begun.url, 'nia@example.com', APP))
  await hub.auth.finishOAuth({ code: again, verifier: begun.verifier })
  assert.equal((await hub.auth.user()).email, 'nia@example.com')
  const [identity] = await hub.auth.identities()
  assert.equal(identity.provider, 'id')
  await assert.rejects(hub.auth.unlinkIdentity(identity.id), { code: 'last_way_in' })

  const oli = await signedIn('oli')
  const link = await oli.hub.auth.linkIdentity('id', APP)
  const linked = codeFrom(await new Browser().enter(link.url, 'oli.elsewhere@example.com', APP))
  await oli.hub.auth.finishOAuth({ code: linked, verifier: link.verifier })
  const [own] = await oli.hub.auth.identities()
  assert.equal((await oli.hub.auth.user()).id, oli.user.id)
  await oli.hub.auth.unlinkIdentity(own.id)
  assert.deepEqual(await oli.hub.auth.identities(), [])
})
