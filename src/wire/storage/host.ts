import { badUri } from './bad-argument.js'

const MAX_PORT = 65_535
const MAX_NAME_CHARS = 253
const LABEL = /^[a-z0-9]([a-z0-9_-]{0,61}[a-z0-9])?$/
const QUAD = /^(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)(\.(25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)){3}$/

/**
 * A host in its one spelling: a name in lower case without the root's dot, an IPv4 address in four decimal numbers, an IPv6
 * address in brackets as RFC 5952 writes it; an IPv4 address that is mapped into IPv6 is that IPv4 address. @throws BadArgument
 */
export function hostOf(scheme: string, text: string): string {
  if (text === '') throw badUri(`${scheme}: the URI names no host: ${scheme}://server/path`)
  if (text.startsWith('[')) return ipv6Of(scheme, text)
  const name = text.toLowerCase().replace(/\.$/, '')
  // what ends like a number is read as one by resolvers, in spellings that nobody expects
  const numeric = /(^|\.)(\d+|0x[0-9a-f]*)$/.test(name)
  const known = numeric
    ? QUAD.test(name)
    : name.length <= MAX_NAME_CHARS && name.split('.').every((label) => LABEL.test(label))
  if (!known) throw badUri(`${scheme}: ${JSON.stringify(text)} is neither the name nor the address of a host`)
  return name
}

/** @throws BadArgument */
export function portOf(scheme: string, text: string): number {
  const port = Number(text)
  if (/^\d{1,9}$/.test(text) && port >= 1 && port <= MAX_PORT) return port
  throw badUri(`${scheme}: ${JSON.stringify(text)} is no port: 1 to ${MAX_PORT}`)
}

/** `host` or `host:port`; the default port is left out. */
export const authorityOf = (host: string, port: number | null): string => (port === null ? host : `${host}:${port}`)

function ipv6Of(scheme: string, text: string): string {
  const address = URL.canParse(`http://${text}/`) ? new URL(`http://${text}/`).hostname : null
  if (address === null) throw badUri(`${scheme}: ${JSON.stringify(text)} is no IPv6 address in brackets`)
  const mapped = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(address)
  if (mapped === null) return address
  const [high, low] = [Number.parseInt(mapped[1]!, 16), Number.parseInt(mapped[2]!, 16)]
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}
