import { type HttpReply, http, type RequestOptions } from './http.js'

/** A cookie as it was set: its value, and its attributes by their names in lower case. */
export interface SetCookie {
  readonly name: string
  readonly value: string
  readonly attributes: ReadonlyMap<string, string>
}

/** A browser on the plane's own page: it keeps cookies, and says where its requests come from. */
export class Browser {
  readonly cookies = new Map<string, string>()
  private readonly client: ReturnType<typeof http>

  constructor(readonly url: string) {
    this.client = http(url)
  }

  get(path: string, options?: RequestOptions) {
    return this.keep(this.client.get(path, this.from(options)))
  }
  post(path: string, body?: unknown, options?: RequestOptions) {
    return this.keep(this.client.post(path, body, this.from(options)))
  }
  put(path: string, body?: unknown, options?: RequestOptions) {
    return this.keep(this.client.put(path, body, this.from(options)))
  }
  delete(path: string, options?: RequestOptions) {
    return this.keep(this.client.delete(path, this.from(options)))
  }

  signIn(name: string, password: string) {
    return this.post('/api/v1/session', { name, password })
  }

  /** Its header, for requests that come from elsewhere. */
  get cookie(): string {
    return [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  private from({ headers, ...rest }: RequestOptions = {}): RequestOptions {
    const cookie: Record<string, string> = this.cookies.size > 0 ? { cookie: this.cookie } : {}
    return { ...rest, headers: { 'sec-fetch-site': 'same-origin', ...cookie, ...headers } }
  }

  private async keep<T>(sent: Promise<HttpReply<T>>): Promise<HttpReply<T>> {
    const reply = await sent
    for (const { name, value, attributes } of cookiesOf(reply.headers)) {
      if (attributes.get('max-age') === '0') this.cookies.delete(name)
      else this.cookies.set(name, value)
    }
    return reply
  }
}

export function cookiesOf(headers: Headers): SetCookie[] {
  return headers.getSetCookie().map((text) => {
    const [first = '', ...rest] = text.split('; ')
    const [name = '', value = ''] = halves(first)
    return { name, value, attributes: new Map(rest.map(attribute)) }
  })
}

const attribute = (text: string): [string, string] => {
  const [name, value] = halves(text)
  return [name.toLowerCase(), value]
}

function halves(text: string): [string, string] {
  const at = text.indexOf('=')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
