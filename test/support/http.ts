import { readFileSync } from 'node:fs'
import { OpenApiCheck, type OpenApiDocument } from './openapi-check.js'

export interface HttpReply<T> {
  readonly status: number
  readonly headers: Headers
  /** Parsed where it is JSON, text otherwise, undefined where there is none. */
  readonly body: T
}

export interface RequestOptions {
  readonly headers?: Readonly<Record<string, string>>
  /** The path or method is none of the document's, on purpose. */
  readonly undocumented?: boolean
}

export interface ClientOptions {
  /** Sent with each request that has no Authorization of its own. */
  readonly token?: string
  /** Instead of the committed `openapi.json`. */
  readonly document?: OpenApiDocument
}

/** Bodies are read loosely in tests: the document is what holds their shape. */
// biome-ignore lint/suspicious/noExplicitAny: members of any body may be looked at
export type Body = any

type Send = <T = Body>(path: string, body?: unknown, options?: RequestOptions) => Promise<HttpReply<T>>
type Fetch = <T = Body>(path: string, options?: RequestOptions) => Promise<HttpReply<T>>

export interface HttpClient {
  readonly get: Fetch
  readonly post: Send
  readonly put: Send
  readonly patch: Send
  readonly delete: Fetch
}

/** A client that holds each reply it gets against the OpenAPI document: what is not declared fails the test. */
export function http(baseUrl: string, { document, token }: ClientOptions = {}): HttpClient {
  const check = document ? new OpenApiCheck(document) : committed()
  const authorization: Record<string, string> = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const identified = (options: RequestOptions = {}) => ({
    ...options,
    headers: { ...authorization, ...options.headers },
  })
  const send =
    (method: string): Send =>
    (path, body, options) =>
      request(check, baseUrl, method, path, body, identified(options))
  const fetchOnly =
    (method: string): Fetch =>
    (path, options) =>
      request(check, baseUrl, method, path, undefined, identified(options))
  return {
    get: fetchOnly('GET'),
    post: send('POST'),
    put: send('PUT'),
    patch: send('PATCH'),
    delete: fetchOnly('DELETE'),
  }
}

async function request<T>(
  check: OpenApiCheck,
  baseUrl: string,
  method: string,
  path: string,
  body: unknown,
  { headers = {}, undocumented = false }: RequestOptions = {},
): Promise<HttpReply<T>> {
  const raw = typeof body === 'string' || body instanceof Uint8Array
  const payload = body === undefined ? undefined : raw ? (body as BodyInit) : JSON.stringify(body)
  const reply = await fetch(new URL(path, baseUrl), {
    method,
    headers: { ...(payload === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
    ...(payload === undefined ? {} : { body: payload }),
    // a redirect is a reply like any other
    redirect: 'manual',
  })
  const contentType = reply.headers.get('content-type')
  const text = await reply.text()
  const parsed: unknown = text === '' ? undefined : /\bjson\b/.test(contentType ?? '') ? JSON.parse(text) : text
  if (!undocumented) {
    const { pathname } = new URL(path, baseUrl)
    check.require({ method, path: pathname, status: reply.status, contentType, body: parsed })
  }
  return { status: reply.status, headers: reply.headers, body: parsed as T }
}

let check: OpenApiCheck | undefined

function committed(): OpenApiCheck {
  check ??= new OpenApiCheck(JSON.parse(readFileSync('openapi.json', 'utf8')) as OpenApiDocument)
  return check
}
