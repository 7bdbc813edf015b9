// oidc-provider, as npm has it, as somebody to sign in with. Says where it
// listens as its address in a line.
//
// ATLASHUB_TEST_OIDC: the folder with the provider in its node_modules
// ATLASHUB_TEST_CALLBACKS: where it may lead back to, separated by blanks
//
// Everybody may sign in, with any password. The name says what is known of
// somebody: `ada@example.com` has that address, `unproven:ada@example.com`
// has it without proof, `nameless` has none.

import { createServer } from 'node:http'
import { pathToFileURL } from 'node:url'

const env = process.env
const part = `${env.ATLASHUB_TEST_OIDC}/node_modules/oidc-provider/lib/index.js`
const { default: Provider } = await import(pathToFileURL(part))

const server = createServer((request, response) => handle(request, response))
await new Promise((listening) => server.listen(0, '127.0.0.1', listening))
const issuer = `http://127.0.0.1:${server.address().port}`

const findAccount = (_, id) => {
  const [email, state] = id.split(':').reverse()
  const address = id === 'nameless' ? {} : { email, email_verified: state !== 'unproven' }
  return { accountId: id, claims: () => ({ sub: id, name: 'Ada L.', ...address }) }
}

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'atlashub',
      client_secret: 'a secret: of & the tests',
      redirect_uris: env.ATLASHUB_TEST_CALLBACKS.split(' '),
    },
  ],
  claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name'] },
  cookies: { keys: ['a key of the tests'] },
  findAccount,
  pkce: { required: () => true },
})
const handle = provider.callback()

console.log(issuer)
