// tus-js-client, as npm has it, against /files/tus. Ends with 1 when a test
// fails.
//
// ATLASHUB_TEST_TUS: the folder with the client in its node_modules
// ATLASHUB_TEST_URL: the project's address
// ATLASHUB_TEST_SECRET: its key

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import net from 'node:net'
import test from 'node:test'

const env = process.env
const require = createRequire(`${env.ATLASHUB_TEST_TUS}/`)
const tus = require('tus-js-client')

const MIB = 1024 * 1024
const base = new URL(env.ATLASHUB_TEST_URL)
const headers = { 'x-api-key': env.ATLASHUB_TEST_SECRET }

/** A way to the server that breaks after so many bytes, and counts them. */
const line = async (most) => {
  const way = { bytes: 0 }
  const server = net.createServer((near) => {
    const far = net.connect(Number(base.port), base.hostname)
    const cut = () => {
      near.destroy()
      far.destroy()
    }
    near.on('data', (chunk) => {
      way.bytes += chunk.length
      if (way.bytes > most) cut()
    })
    for (const end of [near, far]) end.on('error', cut).on('close', cut)
    near.pipe(far).pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  way.close = () => server.close()
  way.url = (path) => {
    const url = new URL(path, base)
    url.host = `127.0.0.1:${server.address().port}`
    return url.href
  }
  return way
}

/** Sends, and answers the upload once it is over; fails as it fails. */
const send = (bytes, options) =>
  new Promise((resolve, reject) => {
    const upload = new tus.Upload(bytes, {
      headers,
      metadata: { filename: 'video.bin', filetype: 'application/octet-stream' },
      retryDelays: null,
      ...options,
      onError: reject,
      onSuccess: () => resolve(upload),
    })
    upload.start()
  })

const path = (url) => new URL(url).pathname
const here = (url) => new URL(path(url), base)

/** How much has come, once it is something. */
const arrived = async (url) => {
  for (const until = Date.now() + 60_000; Date.now() < until; ) {
    const answer = await fetch(here(url), {
      method: 'HEAD',
      headers: { ...headers, 'tus-resumable': '1.0.0' },
    })
    assert.equal(answer.status, 200)
    const offset = Number(answer.headers.get('upload-offset'))
    if (offset > 0) return offset
  }
  assert.fail('nothing has come')
}

const sum = (bytes) => createHash('sha256').update(bytes).digest('hex')

/** The file of an upload has exactly these bytes. */
const check = async (url, bytes) => {
  const id = path(url).split('/').at(-1)
  const at = new URL(`/files/${id}`, base)
  const answer = await fetch(at, { headers })
  assert.equal(answer.status, 200)
  const file = await answer.json()
  assert.match(file.filename, /^video( \(\d\))?\.bin$/)
  assert.equal(file.size, bytes.length)
  assert.equal(file.sha256, sum(bytes))
  const download = await fetch(`${at}/download`, { headers })
  assert.equal(sum(Buffer.from(await download.arrayBuffer())), sum(bytes))
}

test('40 MiB in pieces', async () => {
  const bytes = randomBytes(40 * MIB)
  const endpoint = new URL('/files/tus', base).href
  const upload = await send(bytes, { endpoint, chunkSize: 6 * MIB })
  await check(upload.url, bytes)
})

test('a line that breaks in the middle of a piece', async () => {
  const bytes = randomBytes(40 * MIB)
  const cut = await line(25 * MIB)
  const endpoint = cut.url('/files/tus')
  let url
  await assert.rejects(
    send(bytes, {
      endpoint,
      // The server names itself; what comes next is to take the same way.
      onAfterResponse: (request, answer) => {
        const location = answer.getHeader('Location')
        if (!location) return
        url = location
        const others = answer.getHeader.bind(answer)
        answer.getHeader = (name) =>
          name === 'Location' ? cut.url(path(location)) : others(name)
      },
    }),
  )
  cut.close()
  const offset = await arrived(url)
  assert.ok(offset > 4 * MIB && offset < 26 * MIB, `${offset} bytes have come`)
  const whole = await line(Infinity)
  const upload = await send(bytes, { uploadUrl: whole.url(path(url)) })
  const rest = bytes.length - offset
  assert.ok(whole.bytes >= rest && whole.bytes < rest + MIB, `${whole.bytes} bytes for ${rest}`)
  whole.close()
  await check(upload.url, bytes)
})

test('an upload that is given up', async () => {
  const endpoint = new URL('/files/tus', base).href
  const bytes = randomBytes(MIB)
  let upload
  await new Promise((resolve, reject) => {
    upload = new tus.Upload(bytes, {
      endpoint,
      headers,
      chunkSize: MIB / 4,
      retryDelays: null,
      onError: reject,
      onChunkComplete: () => upload.abort().then(resolve, reject),
    })
    upload.start()
  })
  await tus.Upload.terminate(upload.url, { headers, retryDelays: null })
  const gone = await fetch(here(upload.url), {
    method: 'HEAD',
    headers: { ...headers, 'tus-resumable': '1.0.0' },
  })
  assert.equal(gone.status, 404)
})
