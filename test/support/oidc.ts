import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import Provider, { type Configuration, type JWK } from 'oidc-provider'
import { cookiesOf } from './browser.js'

export const CLIENT = { id: 'keelson', secret: 'canary-of-the-client-secret' }

export interface Person {
  readonly preferred_username?: string
  readonly name?: string
  readonly email?: string
  groups?: readonly string[]
}

/** A real OIDC provider on the loopback, which lets in everybody that it knows. */
export class TestProvider {
  readonly people = new Map<string, Person>()
  /** Paths that were asked for, in order. */
  readonly asked: string[] = []
  private handle: (request: IncomingMessage, response: ServerResponse) => Promise<void> = async () => undefined
  private readonly server = createServer((request, response) => {
    this.asked.push(request.url?.split('?', 1)[0] ?? '')
    void this.handle(request, response)
  })

  private constructor(private readonly redirectUris: string[]) {}

  static async start(redirectUris: string[]): Promise<TestProvider> {
    const provider = new TestProvider(redirectUris)
    await provider.listen(0)
    provider.serve()
    return provider
  }

  get issuer(): string {
    return `http://127.0.0.1:${this.port}`
  }

  private port = 0

  /** From now on with keys of its own, and none of those before. */
  serve(overrides: Partial<Configuration> = {}): void {
    const provider = new Provider(this.issuer, {
      clients: [{ client_id: CLIENT.id, client_secret: CLIENT.secret, redirect_uris: this.redirectUris }],
      pkce: { required: () => true },
      jwks: { keys: [newKey()] },
      cookies: { keys: ['only for tests'] },
      scopes: ['openid', 'profile', 'email', 'groups'],
      claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email'], groups: ['groups'] },
      findAccount: (_, id) => {
        const person = this.people.get(id)
        return person && { accountId: id, claims: async () => ({ ...person, sub: id }) }
      },
      ...overrides,
    })
    this.handle = provider.callback()
  }

  /** Walks from our redirect through its forms. @returns where it sends the browser back to */
  async signIn(authorizationUrl: string, subject: string): Promise<string> {
    const cookies = new Map<string, string>()
    let next = authorizationUrl
    let form: URLSearchParams | null = null
    for (let step = 0; step < 12; step++) {
      const reply: Response = await fetch(next, {
        redirect: 'manual',
        headers: { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') },
        ...(form ? { method: 'POST', body: form } : {}),
      })
      for (const { name, value } of cookiesOf(reply.headers)) cookies.set(name, value)
      const text = await reply.text()
      const location = reply.headers.get('location')
      if (location) {
        next = new URL(location, next).href
        form = null
        if (!next.startsWith(this.issuer)) return next
      } else {
        const prompt = /name="prompt" value="(\w+)"/.exec(text)?.[1]
        const action = /action="([^"]+)"/.exec(text)?.[1]
        if (!prompt || !action) throw new Error(`the provider answered ${reply.status}: ${text.slice(0, 2_000)}`)
        next = new URL(action, next).href
        form = new URLSearchParams({ prompt, ...(prompt === 'login' ? { login: subject, password: 'any' } : {}) })
      }
    }
    throw new Error('the provider never sent the browser back')
  }

  async goDown(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise<void>((resolve) => this.server.close(() => resolve()))
  }

  async comeUp(): Promise<void> {
    await this.listen(this.port)
  }

  private async listen(port: number): Promise<void> {
    await new Promise<void>((resolve) => this.server.listen(port, '127.0.0.1', resolve))
    this.port = (this.server.address() as AddressInfo).port
  }
}

function newKey(): JWK {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const key = { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg: 'RS256' }
  return key
}
