import ipaddr from 'ipaddr.js'

export type IpAddress = ipaddr.IPv4 | ipaddr.IPv6

/** A range of addresses, as it is written and as it is compared. */
export interface Network {
  /** `10.0.0.0/8`; an address alone is a range of one. */
  readonly text: string
  readonly contains: (address: IpAddress) => boolean
}

/** Undefined where it is no IP address. An IPv4 address that is written as an IPv6 one is that IPv4 address. */
export function parseIp(text: string): IpAddress | undefined {
  // what only looks like one (`0x7f.1`, a zone) is refused: others may read it differently
  const isPlain = ipaddr.IPv4.isValidFourPartDecimal(text) || (ipaddr.IPv6.isValid(text) && !text.includes('%'))
  return isPlain ? ipaddr.process(text) : undefined
}

/** A CIDR range or an address; undefined where it is neither, or has bits set beyond its prefix. */
export function parseNetwork(text: string): Network | undefined {
  const [base = '', prefix, ...rest] = text.trim().split('/')
  const address = parseIp(base)
  // of an IPv4 range in IPv6 form nobody knows which of the two the prefix counts
  if (!address || rest.length > 0 || (address.kind() === 'ipv4' && base.includes(':'))) return undefined
  const most = address.kind() === 'ipv4' ? 32 : 128
  const bits = prefix === undefined ? most : /^\d{1,3}$/.test(prefix) ? Number(prefix) : Number.NaN
  if (!(bits <= most)) return undefined
  const written = `${address.toString()}/${bits}`
  const Kind = address.kind() === 'ipv4' ? ipaddr.IPv4 : ipaddr.IPv6
  if (Kind.networkAddressFromCIDR(written).toString() !== address.toString()) return undefined
  return {
    text: written,
    contains: (other) => other.kind() === address.kind() && matches(other, address, bits),
  }
}

/** Of the same kind, which the types of the library cannot say. */
function matches(other: IpAddress, range: IpAddress, bits: number): boolean {
  return (other as ipaddr.IPv6).match(range, bits)
}
