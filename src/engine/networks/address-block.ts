import ipaddr from 'ipaddr.js'
import { type IpAddress, parseIp } from '../../config/network.js'

/** The addresses of a CIDR as numbers: the network address is `first`, the last one `last`. */
export interface AddressBlock {
  /** As the network address is written, with its prefix. */
  readonly cidr: string
  readonly kind: 'ipv4' | 'ipv6'
  readonly bits: number
  readonly first: bigint
  readonly last: bigint
}

/** Null where it is none. Bits beyond the prefix are let go. */
export function parseBlock(text: string): AddressBlock | null {
  const [base = '', prefix = '', ...rest] = text.split('/')
  const address = parseIp(base)
  // of an IPv4 network in IPv6 form nobody knows which of the two the prefix counts
  if (!address || rest.length > 0 || !/^\d{1,3}$/.test(prefix) || (address.kind() === 'ipv4' && base.includes(':')))
    return null
  const bits = Number(prefix)
  const kind = address.kind()
  if (bits > (kind === 'ipv4' ? 32 : 128)) return null
  const written = `${address.toString()}/${bits}`
  const Kind = kind === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6
  const network = Kind.networkAddressFromCIDR(written)
  return {
    cidr: `${network.toString()}/${bits}`,
    kind,
    bits,
    first: numberOf(network),
    last: numberOf(Kind.broadcastAddressFromCIDR(written)),
  }
}

/** Null where it is no address, or none of the block. */
export function numberIn(block: AddressBlock, text: string): bigint | null {
  const address = parseIp(text)
  if (!address || address.kind() !== block.kind) return null
  const number = numberOf(address)
  return number >= block.first && number <= block.last ? number : null
}

/** What can be no thing's address: the network's own, and in IPv4 the broadcast. Networks of one or two have none. */
export function reservedOf({ kind, bits, first, last }: AddressBlock): readonly bigint[] {
  if (kind === 'ipv4') return bits <= 30 ? [first, last] : []
  return bits <= 126 ? [first] : []
}

export const numberOf = (address: IpAddress): bigint =>
  BigInt(`0x${Buffer.from(address.toByteArray()).toString('hex')}`)

export function textOf({ kind }: Pick<AddressBlock, 'kind'>, number: bigint): string {
  const digits = number.toString(16).padStart(kind === 'ipv4' ? 8 : 32, '0')
  return ipaddr.fromByteArray([...Buffer.from(digits, 'hex')]).toString()
}
