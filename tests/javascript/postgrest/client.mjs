// @supabase/postgrest-js, as npm has it, against the tables that
// tests/it/postgrest_js.rs has made. Ends with 1 when a test fails.
//
// ATLASHUB_TEST_POSTGREST: the folder with the client in its node_modules
// ATLASHUB_TEST_URL: the project's address, with /rest/v1
// ATLASHUB_TEST_SECRET, ATLASHUB_TEST_PUBLISHABLE: its keys

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import test from 'node:test'

const env = process.env
const require = createRequire(`${env.ATLASHUB_TEST_POSTGREST}/`)
const { PostgrestClient } = require('@supabase/postgrest-js')

const client = (key) =>
  new PostgrestClient(env.ATLASHUB_TEST_URL, {
    headers: { apikey: key, Authorization: `Bearer ${key}` },
    schema: 'public',
  })
const db = client(env.ATLASHUB_TEST_SECRET)

/** The data of an answer without an error. */
const data = async (query) => {
  const { data, error, status } = await query
  assert.equal(error, null, `${status}: ${JSON.stringify(error)}`)
  return data
}

const ids = async (query) => (await data(query)).map((row) => row.id)
const todos = () => db.from('todos').select('id').order('id')

test('filters', async () => {
  assert.deepEqual(await ids(todos().eq('title', 'water')), [1])
  assert.deepEqual(await ids(todos().neq('id', 1)), [2, 3])
  assert.deepEqual(await ids(todos().gt('stars', 1).lte('stars', 3)), [1, 3])
  assert.deepEqual(await ids(todos().like('title', 'w%')), [1])
  assert.deepEqual(await ids(todos().ilike('title', 'w%')), [1, 2])
  assert.deepEqual(await ids(todos().likeAnyOf('title', ['w%', '5%'])), [1, 3])
  assert.deepEqual(await ids(todos().ilikeAllOf('title', ['w%', '%d'])), [2])
  assert.deepEqual(await ids(todos().is('stars', null)), [2])
  assert.deepEqual(await ids(todos().is('done', true)), [2])
  assert.deepEqual(await ids(todos().in('title', ['water', '50% off', 'a,b(c)'])), [1, 3])
  assert.deepEqual(await ids(todos().not('id', 'in', '(1,2)')), [3])
  assert.deepEqual(await ids(todos().match({ title: 'Weed', done: true })), [2])
  assert.deepEqual(await ids(todos().or('id.eq.1,and(done.is.true,title.eq.Weed)')), [1, 2])
  assert.deepEqual(await ids(todos().filter('stars', 'gte', 3)), [3])
  assert.deepEqual(await ids(todos().eq('data->a->1->>b', 'x')), [1])
  assert.deepEqual(await ids(todos().eq('at', '2026-03-01T10:00:00.25Z')), [1])
})

test('order, limit and range', async () => {
  const by = (column, options) => db.from('todos').select('id').order(column, options)
  assert.deepEqual(await ids(by('stars', { ascending: false, nullsFirst: false })), [3, 1, 2])
  assert.deepEqual(await ids(by('done').order('id', { ascending: false })), [3, 1, 2])
  assert.deepEqual(await ids(todos().limit(1)), [1])
  assert.deepEqual(await ids(todos().range(1, 2)), [2, 3])
})

test('embedded tables', async () => {
  const rows = await data(
    db
      .from('todos')
      .select('id, owner:people(name), tags(name)')
      .order('id')
      .order('name', { referencedTable: 'tags', ascending: false })
      .limit(1, { referencedTable: 'tags' }),
  )
  assert.deepEqual(rows, [
    { id: 1, owner: { name: 'Ada' }, tags: [{ name: 'home' }] },
    { id: 2, owner: { name: 'Grace' }, tags: [] },
    { id: 3, owner: null, tags: [{ name: 'home' }] },
  ])
  const inner = db.from('todos').select('id, tags!inner(name)').eq('tags.name', 'garden')
  assert.deepEqual(await data(inner), [{ id: 1, tags: [{ name: 'garden' }] }])
  const own = db.from('people').select('name, boss:boss_id(name)').eq('id', 2)
  assert.deepEqual(await data(own.single()), { name: 'Grace', boss: { name: 'Ada' } })
  const either = todos().select('id, tags(name)').or('name.eq.garden', { referencedTable: 'tags' })
  assert.deepEqual((await data(either))[0].tags, [{ name: 'garden' }])
})

test('counts', async () => {
  const page = await db.from('todos').select('*', { count: 'exact' }).range(0, 1)
  assert.deepEqual([page.status, page.count, page.data.length], [206, 3, 2])
  const head = await db.from('todos').select('*', { count: 'exact', head: true })
  assert.deepEqual([head.count, head.data], [3, null])
})

test('one row', async () => {
  assert.deepEqual(await data(db.from('tags').select('name').eq('id', 1).single()), { name: 'garden' })
  assert.equal(await data(db.from('tags').select().eq('id', 99).maybeSingle()), null)
  const many = await db.from('tags').select().single()
  assert.deepEqual([many.status, many.error.code], [406, 'PGRST116'])
})

test('CSV', async () => {
  assert.equal(await data(db.from('tags').select('id, name').order('id').csv()), 'id,name\n1,garden\n2,home')
})

test('inserts, updates and deletes', async () => {
  const one = await db.from('todos').insert({ title: 'one' })
  assert.deepEqual([one.status, one.data, one.error], [201, null, null])
  const rows = [{ title: 'two', done: true }, { title: 'three' }]
  // What a row does not say is NULL, unless defaults are asked for.
  assert.equal((await db.from('todos').insert(rows)).error.code, '23502')
  const defaults = await data(
    db
      .from('todos')
      .insert(rows, { defaultToNull: false })
      .select('title, done'),
  )
  assert.deepEqual(defaults, [{ title: 'two', done: true }, { title: 'three', done: false }])
  const changed = db.from('todos').update({ stars: 9 }).gt('id', 3).select('title, stars').order('title')
  assert.deepEqual(await data(changed), [
    { title: 'one', stars: 9 },
    { title: 'three', stars: 9 },
    { title: 'two', stars: 9 },
  ])
  const limited = await db.from('todos').update({ stars: 8 }).gt('id', 3).maxAffected(1)
  assert.equal(limited.error.code, 'PGRST124')
  const undone = await data(db.from('todos').delete().gt('id', 3).rollback().select('id'))
  assert.equal(undone.length, 3)
  const gone = await db.from('todos').delete({ count: 'exact' }).gt('id', 3)
  assert.deepEqual([gone.status, gone.count], [204, 3])
  assert.deepEqual(await ids(todos()), [1, 2, 3])
})

test('upserts', async () => {
  const rows = [{ id: 1, name: 'Gardens' }, { id: 3, name: 'new' }]
  assert.deepEqual(await data(db.from('tags').upsert(rows).select()), rows)
  const ignored = db.from('tags').upsert([{ id: 1, name: 'x' }, { id: 4, name: 'y' }], { ignoreDuplicates: true })
  assert.deepEqual(await data(ignored.select()), [{ id: 4, name: 'y' }])
  const named = db.from('people').upsert({ id: 2, name: 'Grace', boss_id: null }, { onConflict: 'name' })
  assert.deepEqual(await data(named.select('id, boss_id').single()), { id: 2, boss_id: null })
  await data(db.from('people').update({ boss_id: 1 }).eq('id', 2))
  await data(db.from('tags').delete().in('id', [3, 4]))
  await data(db.from('tags').update({ name: 'garden' }).eq('id', 1))
})

test('sums and counts', async () => {
  const sums = db.from('todos').select('stars.sum(), stars.avg(), n:count()')
  assert.deepEqual(await data(sums.single()), { sum: 4.5, avg: 2.25, n: 3 })
  const groups = db.from('todos').select('done, count(), at.max()').order('done')
  assert.deepEqual(await data(groups), [
    { done: false, count: 2, max: '2026-03-01T10:00:00.25+00:00' },
    { done: true, count: 1, max: null },
  ])
  const embedded = db.from('people').select('name, todos(count(), price.sum())').order('id')
  assert.deepEqual(await data(embedded), [
    { name: 'Ada', todos: [{ count: 1, sum: 10.5 }] },
    { name: 'Grace', todos: [{ count: 1, sum: null }] },
  ])
  const byOwner = db.from('todos').select('...people(owner:name), id.min()').not('person_id', 'is', null)
  const owners = (await data(byOwner)).sort((a, b) => a.min - b.min)
  assert.deepEqual(owners, [{ owner: 'Ada', min: 1 }, { owner: 'Grace', min: 2 }])
  const json = db.from('todos').select('data->>t, done, count()', { count: 'exact' }).order('done')
  assert.equal((await json).count, 3)
  // A publishable key sums up what it sees.
  const anonymous = client(env.ATLASHUB_TEST_PUBLISHABLE)
  assert.deepEqual(await data(anonymous.from('todos').select('count()')), [{ count: 0 }])
  assert.deepEqual(await data(anonymous.from('notes').select('count()')), [{ count: 3 }])
  assert.equal((await db.from('people').select('name.sum()')).error.code, '42883')
})

test('errors', async () => {
  const code = async (query) => {
    const { error, status } = await query
    return [status, error.code]
  }
  assert.deepEqual(await code(db.from('nothing').select()), [404, 'PGRST205'])
  assert.deepEqual(await code(db.from('todos').select('nothing')), [400, '42703'])
  assert.deepEqual(await code(db.from('tags').insert({ id: 1, name: 'x' })), [409, '23505'])
  assert.deepEqual(await code(db.from('todos').insert({ title: 'x', person_id: 99 })), [409, '23503'])
  assert.deepEqual(await code(db.from('todos').delete()), [400, '21000'])
  assert.deepEqual(await code(db.rpc('nothing')), [404, 'PGRST202'])
})

test('a publishable key sees what policies give', async () => {
  const anonymous = client(env.ATLASHUB_TEST_PUBLISHABLE)
  assert.deepEqual(await data(anonymous.from('todos').select()), [])
  assert.deepEqual(await ids(anonymous.from('notes').select('id').order('id')), [1, 60, 200])
  const refused = await anonymous.from('todos').insert({ title: 'x' })
  assert.deepEqual([refused.status, refused.error.code], [401, '42501'])
})
