import type { X509Certificate } from 'node:crypto'
import { request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { ENGINE_NAME } from '../wire/enrolment.js'
import type { JoinToken } from '../wire/join-token.js'
import { isLoopback } from '../wire/loopback.js'

export interface PinnedReply {
  readonly status: number
  readonly body: unknown
}

/** By SHA-256: certificate authorities that may have signed REST's certificate, or that certificate itself. */
export type Pins = Pick<JoinToken, 'authorities' | 'restCertificate'>

const TIMEOUT_MS = 30_000
const PROBE_MS = 10_000
const MAX_REPLY_BYTES = 1_048_576

/** Whoever answers is not who the join token is of; nothing was told. */
export class WrongPin extends Error {}

/**
 * POSTs JSON to whoever is known by the pins, and to nobody else. Plain HTTP is for the loopback alone.
 * @throws WrongPin; Error when nobody answers
 */
export async function postPinned(url: URL, body: object, pins: Pins): Promise<PinnedReply> {
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (url.protocol === 'https:')
    return post(httpsRequest, url, body, await trustOf(host, Number(url.port || 443), pins))
  if (!isLoopback(host))
    throw new WrongPin(`${url.host} is asked for without TLS, which is for loopback addresses alone`)
  return post(httpRequest, url, body, {})
}

/**
 * Looks at what the other side shows, telling it nothing, and picks the pinned certificate out of its chain: that one alone
 * is trusted on the connection which then says something. So a chain in which it only stands, and has signed nothing, is
 * refused there.
 */
async function trustOf(host: string, port: number, { authorities, restCertificate }: Pins): Promise<object> {
  const chain = await chainOf(host, port)
  const known = (pinned: string | null) => chain.find((one) => pinned !== null && hex(one.fingerprint256) === pinned)
  const leaf = known(restCertificate)
  if (leaf) return { ...trusting(leaf), servername: isIP(host) ? '' : host, checkServerIdentity: () => undefined }
  const authority = authorities.map(known).find((found) => found !== undefined)
  if (authority) return { ...trusting(authority), servername: ENGINE_NAME }
  const shown = chain.map((one) => hex(one.fingerprint256)).join(', ') || 'none'
  throw new WrongPin(`${host}:${port} shows none of the certificates that the join token names, but ${shown}`)
}

const trusting = (certificate: X509Certificate) => ({
  ca: [certificate.toString()],
  allowPartialTrustChain: true,
  rejectUnauthorized: true,
  minVersion: 'TLSv1.2',
})

function chainOf(host: string, port: number): Promise<X509Certificate[]> {
  return new Promise((resolve, reject) => {
    // nothing is said on it: who it is is found out by what it shows
    const socket: TLSSocket = connect({ host, port, servername: ENGINE_NAME, rejectUnauthorized: false })
    socket.setTimeout(PROBE_MS, () => socket.destroy(new Error(`${host}:${port} does not answer`)))
    socket.once('error', reject)
    socket.once('secureConnect', () => {
      const chain: X509Certificate[] = []
      let next = socket.getPeerX509Certificate()
      while (next && !chain.some(({ fingerprint256 }) => fingerprint256 === next?.fingerprint256)) {
        chain.push(next)
        next = next.issuerCertificate
      }
      socket.destroy()
      resolve(chain)
    })
  })
}

function post(request: typeof httpRequest, url: URL, body: object, tls: object): Promise<PinnedReply> {
  const text = JSON.stringify(body)
  const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }
  const options: RequestOptions = { ...tls, method: 'POST', headers, agent: false, timeout: TIMEOUT_MS }
  return new Promise((resolve, reject) => {
    const call = request(url, options, (reply) => {
      readAll(reply).then((answer) => resolve({ status: reply.statusCode ?? 0, body: parsed(answer) }), reject)
    })
    call.on('timeout', () => call.destroy(new Error(`${url.host} does not answer`)))
    call.on('error', (error) =>
      reject(isMistrust(error) ? new WrongPin(`${url.host}: ${error.message}`, { cause: error }) : error),
    )
    call.end(text)
  })
}

async function readAll(reply: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of reply as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > MAX_REPLY_BYTES) throw new Error('the answer is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** What OpenSSL and Node say of a certificate that they do not trust. */
const isMistrust = ({ code = '' }: NodeJS.ErrnoException): boolean =>
  /CERT|SIGNATURE|ISSUER|PURPOSE|INVALID_CA|PATH_LENGTH/.test(code)

const hex = (fingerprint: string): string => fingerprint.replaceAll(':', '').toLowerCase()
