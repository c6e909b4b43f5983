import ipaddr from 'ipaddr.js'
import { type IpAddress, parseIp, parseNetwork } from '../../config/network.js'
import { Invalid } from './errors.js'

const globalUnicast = parseNetwork('2000::/3')
/** Below it, only the web itself: what else listens there takes a request for a command. */
const FIRST_FREE_PORT = 1_024
const WEB_PORTS = [80, 443]
const MAX_URL_LENGTH = 2_048

/**
 * Whether anybody on the internet may be meant: no loopback, private, link-local, shared, multicast or documentation address,
 * and none that carries an IPv4 address to a translator (NAT64, 6to4, Teredo).
 */
export function isPublic(address: IpAddress): boolean {
  if (address.range() !== 'unicast') return false
  return address instanceof ipaddr.IPv4 || globalUnicast?.contains(address) === true
}

/** @param networks as in the setting `outbound.networks` */
export function mayCall(address: IpAddress, networks: readonly string[]): boolean {
  return networks.some((entry) =>
    entry === 'public' ? isPublic(address) : parseNetwork(entry)?.contains(address) === true,
  )
}

/**
 * The URL that a user gave, if it can be one to call whatever it resolves to: what takes such a URL in asks this at once, so
 * that its fault is told to whoever wrote it.
 * @throws Invalid
 */
export function requireCallable(text: string, field = 'url'): URL {
  const refuse = (message: string) => new Invalid(`${field} cannot be called`, [{ field, message }])
  if (text.length > MAX_URL_LENGTH) throw refuse(`must have up to ${MAX_URL_LENGTH} characters`)
  if (!URL.canParse(text)) throw refuse('must be a URL')
  const url = new URL(text)
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refuse('must begin with http:// or https://')
  if (url.username || url.password) throw refuse('must hold no name and no password')
  const port = portOf(url)
  if (port < FIRST_FREE_PORT && !WEB_PORTS.includes(port)) throw refuse(`must not name port ${port}`)
  return url
}

export const portOf = ({ port, protocol }: URL): number => (port ? Number(port) : protocol === 'https:' ? 443 : 80)

/** Undefined: a name. The parser of URLs has written every other spelling of an address as the plain one. */
export const literalOf = ({ hostname }: URL): IpAddress | undefined => parseIp(hostname.replace(/^\[|\]$/g, ''))
