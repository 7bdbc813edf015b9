// A browser, as far as signing in needs one: cookies by host, and forms.

/** The value of an attribute of the first tag that has it. */
const attribute = (text, name) => text.match(new RegExp(`${name}="([^"]*)"`))?.[1]
const unescaped = (text) =>
  text.replace(/&(amp|quot|lt|gt|#39|#x27);/g, (_, name) => ({ amp: '&', quot: '"', lt: '<', gt: '>' })[name] ?? "'")

export class Browser {
  #cookies = new Map()

  get(address) {
    return this.#ask(address, {})
  }

  /** Sends the form of a page, with what is hidden in it and `filled`. */
  submit(page, filled = {}) {
    const hidden = [...page.text.matchAll(/<input[^>]*type="hidden"[^>]*>/g)].map(([tag]) => [
      unescaped(attribute(tag, 'name')),
      unescaped(attribute(tag, 'value')),
    ])
    const body = new URLSearchParams({ ...Object.fromEntries(hidden), ...filled })
    const action = unescaped(page.text.match(/<form[^>]*action="([^"]*)"/)[1])
    return this.#ask(new URL(action, page.address).href, { method: 'POST', body })
  }

  /** Signs in as `login` at the provider that `address` leads to, and agrees
   * to everything: where it is led in the end, which starts with `until`. */
  async enter(address, login, until) {
    let page = await this.get(address)
    for (let step = 0; step < 30; step++) {
      if (page.location?.startsWith(until)) return page.location
      if (page.location) {
        page = await this.get(page.location)
      } else if (page.status === 200) {
        page = await this.submit(page, { login, password: 'any' })
      } else {
        break
      }
    }
    throw new Error(`led nowhere: ${page.status} ${page.text}`)
  }

  async #ask(address, options) {
    const { host } = new URL(address)
    const jar = this.#cookies.get(host) ?? new Map()
    this.#cookies.set(host, jar)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const headers = cookie ? { cookie } : {}
    const reply = await fetch(address, { redirect: 'manual', headers, ...options })
    for (const set of reply.headers.getSetCookie()) {
      const [, name, value] = set.match(/^([^=]+)=([^;]*)/)
      if (value && !/max-age=0|1970/i.test(set)) jar.set(name, value)
      else jar.delete(name)
    }
    const to = reply.headers.get('location')
    const location = to && new URL(to, address).href
    return { address, status: reply.status, location, text: await reply.text() }
  }
}
