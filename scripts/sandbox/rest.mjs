const TIMEOUT_MS = 10_000

/** A small client of the REST interface. Replies are values, errors too: `{ status, headers, body }`. */
export class Rest {
  /** @param token called for each request; undefined while there is none */
  constructor(baseUrl, token) {
    this.baseUrl = baseUrl
    this.token = token
  }

  get(path) {
    return this.#call('GET', path)
  }

  put(path, body) {
    return this.#call('PUT', path, body)
  }

  delete(path) {
    return this.#call('DELETE', path)
  }

  async #call(method, path, body) {
    const token = this.token()
    const reply = await fetch(this.baseUrl + path, {
      method,
      headers: {
        ...(token ? { authorization: `Bearer ${token}` } : {}),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    })
    const text = await reply.text()
    return { status: reply.status, headers: reply.headers, body: text === '' ? null : JSON.parse(text) }
  }
}

/** @throws when the status is another one, with the words of the problem document */
export function expectStatus(reply, status, what) {
  if (reply.status === status) return reply
  throw new Error(`${what} was answered ${reply.status}, not ${status}: ${JSON.stringify(reply.body)}`)
}
