import type { LookupAddress } from 'node:dns'
import { lookup } from 'node:dns/promises'
import { type IncomingMessage, type RequestOptions, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { LookupFunction } from 'node:net'
import { type Readable, Transform } from 'node:stream'
import { type IpAddress, parseIp } from '../../config/network.js'
import { literalOf, mayCall, portOf, requireCallable } from './outbound-addresses.js'
import type { Settings } from './settings.js'

export type OutboundFault =
  | 'refused'
  | 'unreachable'
  | 'timeout'
  | 'too-large'
  | 'too-many-redirects'
  | 'too-many-calls'

/** A call that was not made, or had no whole answer. Its message never says what a name resolved to. */
export class OutboundFailed extends Error {
  constructor(
    readonly fault: OutboundFault,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = 'OutboundFailed'
  }
}

export interface OutboundCall {
  readonly url: string
  readonly method?: 'GET' | 'HEAD' | 'POST' | 'PUT'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array
  /** For all of it: resolving, connecting, redirects, and the last byte of the answer. */
  readonly timeoutMs: number
  /** Of the answer's body. */
  readonly maxBytes: number
}

export interface OutboundReply {
  /** Where the answer came from, after redirects. */
  readonly url: string
  readonly status: number
  readonly headers: IncomingMessage['headers']
  /** Ends with an `OutboundFailed` where it is too large or too slow. Destroy it when it is not wanted. */
  readonly body: Readable
}

/** Every address of a name. */
export type Resolve = (name: string) => Promise<readonly string[]>

export const resolveName: Resolve = async (name) => (await lookup(name, { all: true })).map(({ address }) => address)

const MAX_REDIRECTS = 5
const MAX_CALLS = 64
const REDIRECTS = [301, 302, 303, 307, 308]
/** Ours to say, each with a meaning for the connection. */
const RESERVED = ['host', 'connection', 'content-length', 'transfer-encoding', 'upgrade', 'expect', 'te', 'trailer']
/** Meant for the first host alone. */
const PERSONAL = ['authorization', 'cookie', 'proxy-authorization']

/** How a call is bounded as a whole, whichever hop it is at. */
interface Journey {
  readonly call: OutboundCall
  readonly signal: AbortSignal
}

/**
 * The one way to call an address that a user gave: a webhook, an image. What a name resolves to is looked at once, and the
 * connection is made to just that; each redirect is looked at like the first address. Bounded in number, time and size.
 */
export class Outbound {
  private underway = 0

  constructor(
    private readonly settings: Pick<Settings, 'list'>,
    private readonly resolve: Resolve = resolveName,
    /** A certificate to trust instead of the system's. */
    private readonly ca?: string,
  ) {}

  /** @throws OutboundFailed; Invalid where the URL can be none to call */
  async open(call: OutboundCall): Promise<OutboundReply> {
    const url = requireCallable(call.url)
    if (this.underway >= MAX_CALLS) throw new OutboundFailed('too-many-calls', `${MAX_CALLS} calls are under way`)
    this.underway++
    const done = once(() => this.underway--)
    const signal = AbortSignal.timeout(call.timeoutMs)
    try {
      const reply = await this.follow(url, { call, signal })
      const body = bounded(reply.body, call.maxBytes, signal)
      body.once('close', done)
      return { ...reply, body }
    } catch (error) {
      done()
      throw failureOf(error, signal)
    }
  }

  /** The whole answer at once, for what is small. */
  async fetch(call: OutboundCall): Promise<Omit<OutboundReply, 'body'> & { readonly body: Buffer }> {
    const reply = await this.open(call)
    const chunks: Buffer[] = []
    for await (const chunk of reply.body) chunks.push(chunk as Buffer)
    return { ...reply, body: Buffer.concat(chunks) }
  }

  private async follow(first: URL, journey: Journey): Promise<OutboundReply> {
    let url = first
    for (let hop = 0; hop <= MAX_REDIRECTS; hop++) {
      const response = await this.ask(url, first, journey)
      const { statusCode: status = 0, headers } = response
      const { method = 'GET' } = journey.call
      // what carries something is not carried on: its sender named one address
      const moved = REDIRECTS.includes(status) && ['GET', 'HEAD'].includes(method) ? headers.location : undefined
      if (moved === undefined) return { url: url.href, status, headers, body: response }
      response.destroy()
      url = redirected(moved, url)
    }
    throw new OutboundFailed('too-many-redirects', `more than ${MAX_REDIRECTS} redirects`)
  }

  private async ask(url: URL, first: URL, { call, signal }: Journey): Promise<IncomingMessage> {
    const addresses = await this.addressesOf(url, signal)
    const { method = 'GET', body } = call
    const options: RequestOptions & { ca?: string } = {
      method,
      signal,
      hostname: literalOf(url)?.toString() ?? url.hostname,
      port: portOf(url),
      path: `${url.pathname}${url.search}`,
      headers: headersFor(call, url.origin === first.origin),
      // a connection of its own, which nobody else has chosen the address of
      agent: false,
      lookup: pinnedTo(addresses),
      ...(this.ca === undefined ? {} : { ca: this.ca }),
    }
    return new Promise((resolve, reject) => {
      const request = url.protocol === 'https:' ? requestHttps(options, resolve) : requestHttp(options, resolve)
      // it may fail again after its answer has begun: the answer tells that
      request.on('error', reject).end(body)
    })
  }

  /** @throws OutboundFailed where none of them may be called */
  private async addressesOf(url: URL, signal: AbortSignal): Promise<readonly IpAddress[]> {
    const literal = literalOf(url)
    const found = literal
      ? [literal]
      : (await inTime(this.resolve(url.hostname), signal)).flatMap((a) => parseIp(a) ?? [])
    const networks = this.settings.list('outbound.networks')
    const allowed = found.filter((address) => mayCall(address, networks))
    if (allowed.length === 0)
      throw new OutboundFailed('refused', `${url.host} is not in the networks that may be called`)
    return allowed
  }
}

function redirected(location: string, from: URL): URL {
  if (!URL.canParse(location, from)) throw new OutboundFailed('refused', 'it redirects to what is no URL')
  const to = new URL(location, from)
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw new OutboundFailed('refused', 'it redirects from TLS to plain HTTP')
  }
  try {
    return requireCallable(to.href)
  } catch (cause) {
    throw new OutboundFailed('refused', 'it redirects to a URL that cannot be called', { cause })
  }
}

function headersFor({ headers = {}, body }: OutboundCall, isFirst: boolean): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => {
    if (RESERVED.includes(name.toLowerCase())) throw new Error(`the header ${name} is not for callers to set`)
    return isFirst || !PERSONAL.includes(name.toLowerCase())
  })
  const length: Record<string, string> = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  return { 'user-agent': 'keelson', 'accept-encoding': 'identity', ...Object.fromEntries(kept), ...length }
}

/** A lookup that knows one answer: the name is not resolved a second time. */
function pinnedTo(addresses: readonly IpAddress[]): LookupFunction {
  const all = addresses.map(
    (address): LookupAddress => ({ address: address.toString(), family: address.kind() === 'ipv4' ? 4 : 6 }),
  )
  return (_name, options, callback) => {
    const [one] = all
    if (options.all) callback(null, all)
    else callback(null, one?.address ?? '', one?.family)
  }
}

function bounded(source: Readable, maxBytes: number, signal: AbortSignal): Readable {
  let bytes = 0
  const limit = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length
      if (bytes <= maxBytes) done(null, chunk)
      else done(new OutboundFailed('too-large', `the answer is larger than ${maxBytes} bytes`))
    },
  })
  source.once('error', (error) => limit.destroy(failureOf(error, signal)))
  limit.once('close', () => source.destroy())
  return source.pipe(limit)
}

async function inTime<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted()
  return Promise.race([
    work,
    new Promise<never>((_, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
    }),
  ])
}

function failureOf(error: unknown, signal: AbortSignal): Error {
  if (error instanceof OutboundFailed) return error
  if (signal.aborted) return new OutboundFailed('timeout', 'there was no whole answer in time', { cause: error })
  return new OutboundFailed('unreachable', 'the address does not answer as it should', { cause: error })
}

function once(work: () => void): () => void {
  let done = false
  return () => {
    if (!done) work()
    done = true
  }
}
