import { existsSync, readFileSync } from 'node:fs'

/** Bodies are read loosely in trials. */
// biome-ignore lint/suspicious/noExplicitAny: members of any body may be looked at
export type Body = any

export interface Reply {
  /** 0: there was no answer, as from an engine that was killed. */
  readonly status: number
  readonly headers: Headers
  readonly body: Body
  readonly tookMs: number
}

const PATIENCE_MS = 30_000
const PAGE = 500

/** A client of an engine that comes and goes: no answer is an answer too. */
export class Rest {
  /** @param tokenFile holds the token that each request is sent with, once it is there */
  constructor(
    readonly baseUrl: string,
    private readonly tokenFile: string,
    private readonly ask: typeof fetch = fetch,
  ) {}

  get token(): string | undefined {
    return existsSync(this.tokenFile) ? readFileSync(this.tokenFile, 'utf8').trim() : undefined
  }

  get(path: string): Promise<Reply> {
    return this.send('GET', path)
  }

  async send(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Reply> {
    const startedMs = performance.now()
    try {
      const reply = await this.ask(`${this.baseUrl}${path}`, {
        method,
        signal: AbortSignal.timeout(PATIENCE_MS),
        headers: {
          ...this.authorization(),
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      })
      const text = await reply.text()
      return { status: reply.status, headers: reply.headers, body: parsed(text), tookMs: performance.now() - startedMs }
    } catch {
      return { status: 0, headers: new Headers(), body: undefined, tookMs: performance.now() - startedMs }
    }
  }

  private authorization(): Record<string, string> {
    const { token } = this
    return token ? { authorization: `Bearer ${token}` } : {}
  }

  /** Every item of a list, page by page. */
  async all(path: string): Promise<Body[]> {
    const items: Body[] = []
    let next: string | null = ''
    while (next !== null) {
      const url = `${path}${path.includes('?') ? '&' : '?'}limit=${PAGE}${next && `&cursor=${encodeURIComponent(next)}`}`
      const { status, body }: Reply = await this.get(url)
      if (status !== 200) throw new Error(`${url} answered ${status}: ${JSON.stringify(body)}`)
      items.push(...body.items)
      next = body.next
    }
    return items
  }
}

function parsed(text: string): Body {
  try {
    return JSON.parse(text)
  } catch {
    return text === '' ? undefined : text
  }
}
