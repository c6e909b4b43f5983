import type { FastifyRequest } from 'fastify'
import ipaddr from 'ipaddr.js'
import { type IpAddress, parseIp } from '../../config/network.js'

/** What a household or a rented server is given whole: its addresses are one caller. */
const IPV6_PREFIX = 64

/**
 * Where a request comes from: the other end of its connection, or what the proxies say that the configuration trusts. Only
 * X-Forwarded-For is read, never Forwarded: a proxy that writes the one passes the other on as its client wrote it.
 */
export function addressOf(request: FastifyRequest): string {
  const known = knownAddresses.get(request)
  if (known !== undefined) return known
  const address = readAddress(request)
  knownAddresses.set(request, address)
  return address
}

/** Limits, log and audit ask for it in turn. */
const knownAddresses = new WeakMap<FastifyRequest, string>()

function readAddress(request: FastifyRequest): string {
  // the nearest hop first; what a trusted hop passed on need not be an address
  const hops = request.ips ?? [request.ip]
  const known = hops.map(parseHop).findLast((address) => address !== undefined)
  return known?.toString() ?? 'unknown'
}

/** The address by which a request is counted whose caller is nobody yet. */
export const subjectOf = (request: FastifyRequest): string => `address:${networkOf(addressOf(request))}`

/** By what callers are counted. */
export function networkOf(address: string): string {
  const parsed = parseIp(address)
  if (!(parsed instanceof ipaddr.IPv6)) return address
  return `${ipaddr.IPv6.networkAddressFromCIDR(`${address}/${IPV6_PREFIX}`).toString()}/${IPV6_PREFIX}`
}

/** The address of a connection may name the interface that a link-local peer is at. */
const parseHop = (text: string | undefined): IpAddress | undefined => parseIp(text?.replace(/%.*$/, '') ?? '')
