// What a person has beside a browser: a mailbox, and an authenticator app.

import assert from 'node:assert/strict'
import { createHmac } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'

/** The newest mail to an address in the folder where mails land, once there
 * are `count`. */
export const mailTo = async (folder, email, count = 1) => {
  for (const end = Date.now() + 30_000; ; ) {
    const mails = listed(folder)
      .map((name) => readFileSync(`${folder}/${name}`, 'utf8'))
      .filter((text) => text.includes(`To: ${email}`))
    if (mails.length >= count) return plain(mails.at(-1))
    assert.ok(Date.now() < end, `no mail to ${email}`)
    await new Promise((next) => setTimeout(next, 50))
  }
}
const listed = (folder) => {
  try {
    // Others are still being written.
    const names = readdirSync(folder).filter((name) => name.endsWith('.eml'))
    return names.sort()
  } catch {
    return []
  }
}
const plain = (mail) =>
  mail
    .replace(/=\r?\n/g, '')
    .replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)))

/** The code of an authenticator app (RFC 6238), `steps` from now. */
export const totpCode = (secret, steps = 0) => {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
  const bits = [...secret].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('')
  const bytes = bits.match(/.{8}/g).map((byte) => parseInt(byte, 2))
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + steps))
  const mac = createHmac('sha1', Buffer.from(bytes)).update(counter).digest()
  const at = mac[19] & 15
  return String((mac.readUInt32BE(at) & 0x7fffffff) % 1_000_000).padStart(6, '0')
}
