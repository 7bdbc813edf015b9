// sdk/client-ts, as an application uses it, against the project that
// tests/it/client_ts.rs has made.
//
// ATLASHUB_TEST_CLIENT: the client's index.js
// ATLASHUB_TEST_URL: the project's address
// ATLASHUB_TEST_PUBLISHABLE: its publishable key

import assert from 'node:assert/strict'
import test from 'node:test'
import { pathToFileURL } from 'node:url'

const { ATLASHUB_TEST_CLIENT, ATLASHUB_TEST_URL: url, ATLASHUB_TEST_PUBLISHABLE: key } = process.env
const { createClient, memoryStore } = await import(pathToFileURL(ATLASHUB_TEST_CLIENT))

const password = 'correct horse battery'

/** A client with a new user, signed in. */
async function signedIn(name) {
  const store = memoryStore()
  const hub = createClient({ url, key, store })
  const { user, session } = await hub.auth.signUp({ email: `${name}@example.com`, password })
  assert.ok(session)
  return { hub, user, store }
}

test('two users see their own rows and files', async () => {
  const [ada, bob] = [await signedIn('ada'), await signedIn('bob')]
  assert.equal((await ada.hub.auth.user()).email, 'ada@example.com')
  const notes = ada.hub.db.from('notes')
  const [note] = await notes.insert({ owner: ada.user.id, text: 'mine' })
  assert.equal(note.text, 'mine')
  await assert.rejects(notes.insert({ owner: bob.user.id, text: 'forged' }), { status: 403 })
  assert.deepEqual(await notes.update({ text: 'changed' }).eq('id', note.id), [
    { ...note, text: 'changed' },
  ])
  const found = await notes.select('text').eq('id', note.id).count()
  assert.deepEqual([found.rows, found.count], [[{ text: 'changed' }], 1])
  assert.equal(await bob.hub.db.from('notes').select().eq('id', note.id).maybeSingle(), undefined)

  const file = await ada.hub.files.upload('Grüße/ä.txt', 'hello')
  assert.equal(file.filename, 'ä.txt')
  assert.equal(await (await ada.hub.files.download(file.id, { range: 'bytes=1-2' })).text(), 'el')
  await assert.rejects(bob.hub.files.get(file.id), { status: 404 })
  assert.deepEqual(await notes.delete().eq('id', note.id), [{ ...note, text: 'changed' }])
})

test('objects go to a bucket and come back, and stay their owner’s', async () => {
  const [eve, fay] = [await signedIn('eve'), await signedIn('fay')]
  const pictures = eve.hub.storage.from('pictures')
  const picture = new Blob([new Uint8Array([137, 80, 78, 71])], { type: 'image/png' })
  await pictures.upload('Zürich/1 + 1.png', picture)
  const answer = await pictures.download('Zürich/1 + 1.png')
  assert.equal(answer.headers.get('content-type'), 'image/png')
  assert.deepEqual(await answer.arrayBuffer(), await picture.arrayBuffer())
  await assert.rejects(pictures.upload('a.txt', 'text'), { code: 'type_refused' })
  const others = fay.hub.storage.from('pictures')
  await assert.rejects(others.link('Zürich/1 + 1.png'), { status: 404 })
  await assert.rejects(others.list(), { status: 403 })
  await pictures.remove('Zürich/1 + 1.png')
  await assert.rejects(pictures.link('Zürich/1 + 1.png'), { status: 404 })
})

test('a session renews itself once for all calls, and ends when it is ended', async () => {
  const { hub, store } = await signedIn('cyd')
  const session = await hub.auth.session()
  await store.save({ ...session, expires_at: 0 })
  const users = await Promise.all(Array.from({ length: 20 }, () => hub.auth.user()))
  assert.deepEqual(new Set(users.map((user) => user.email)), new Set(['cyd@example.com']))
  const renewed = await hub.auth.session()
  assert.notEqual(renewed.refresh_token, session.refresh_token)
  const sessions = await hub.auth.sessions()
  assert.equal(sessions.length, 1)
  await hub.auth.signOut()
  assert.equal(await hub.auth.session(), undefined)
  await assert.rejects(hub.auth.user(), { status: 401 })
})

test('a wrong password and no account are told alike', async () => {
  const hub = createClient({ url, key })
  const failure = (email) =>
    hub.auth.signIn({ email, password: 'another pass phrase' }).catch(({ status, code, message }) => ({
      status,
      code,
      message,
    }))
  await signedIn('dan')
  const wrong = await failure('dan@example.com')
  assert.equal(wrong.status, 401)
  assert.deepEqual(await failure('nobody@example.com'), wrong)
  await hub.auth.signIn({ email: 'dan@example.com', password })
})
