import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'

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

  post(path, body) {
    return this.#call('POST', path, body)
  }

  put(path, body) {
    return this.#call('PUT', path, body)
  }

  delete(path) {
    return this.#call('DELETE', path)
  }

  #call(method, path, body) {
    const url = new URL(path, this.baseUrl)
    const token = this.token()
    const headers = {
      ...(token ? { authorization: `Bearer ${token}` } : {}),
      ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    }
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest
    // the other end is this machine's own engine, whose authority nobody else knows yet
    const options = { method, headers, agent: false, rejectUnauthorized: false, timeout: TIMEOUT_MS }
    return new Promise((resolve, reject) => {
      const call = request(url, options, (reply) => {
        let text = ''
        reply.setEncoding('utf8')
        reply.on('data', (part) => {
          text += part
        })
        reply.on('error', reject)
        reply.on('end', () => {
          const { statusCode: status, headers } = reply
          resolve({ status, headers, body: text === '' ? null : JSON.parse(text) })
        })
      })
      call.on('timeout', () => call.destroy(new Error(`${url.host} does not answer`)))
      call.on('error', reject)
      call.end(body === undefined ? undefined : JSON.stringify(body))
    })
  }
}

/** @throws when the status is another one, with the words of the problem document */
export function expectStatus(reply, status, what) {
  if (reply.status === status) return reply
  throw new Error(`${what} was answered ${reply.status}, not ${status}: ${JSON.stringify(reply.body)}`)
}
