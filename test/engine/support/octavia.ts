import type { Body, HttpReply } from '../../support/http.js'

type Headers = Readonly<Record<string, string>>

export interface OctaviaClient {
  get(path: string): Promise<HttpReply<Body>>
  post(path: string, body: unknown): Promise<HttpReply<Body>>
  put(path: string, body?: unknown): Promise<HttpReply<Body>>
  delete(path: string): Promise<HttpReply<Body>>
}

export const withToken = (token: string): Headers => ({ 'x-auth-token': token })

export const withBasic = (name: string, password: string): Headers => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
})

/** Speaks as OpenStack's clients do: paths below `/v2.0/lbaas` where they begin with none. */
export function octavia(url: string, headers: Headers): OctaviaClient {
  const call = async (method: string, path: string, body?: unknown): Promise<HttpReply<Body>> => {
    const reply = await fetch(new URL(path.startsWith('/') ? path : `/v2.0/lbaas/${path}`, url), {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
    const text = await reply.text()
    return { status: reply.status, headers: reply.headers, body: text === '' ? undefined : JSON.parse(text) }
  }
  return {
    get: (path) => call('GET', path),
    post: (path, body) => call('POST', path, body),
    put: (path, body) => call('PUT', path, body),
    delete: (path) => call('DELETE', path),
  }
}
