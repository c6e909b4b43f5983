import ipaddr from 'ipaddr.js'
import { type FieldFault, Invalid } from '../platform/errors.js'
import { type AddressBlock, numberIn, parseBlock, reservedOf, textOf } from './address-block.js'
import type { AddressRange, Network } from './network.entity.js'

/** Each is a row. */
export const MAX_ADDRESSES = 65_536
const MIN_BITS = 8
const UNUSABLE: readonly string[] = ['multicast', 'unspecified', 'broadcast', 'linkLocal']

export interface AskedAddresses {
  readonly cidr: string
  readonly gateway: string | null
  /** Undefined: all that the network has. */
  readonly ranges?: readonly AddressRange[]
}

export type Addressing = Pick<Network, 'cidr' | 'gateway' | 'ranges' | 'size'> & {
  /** Never given to anything, though they may be in a range. */
  readonly kept: readonly string[]
}

type Span = readonly [from: bigint, to: bigint]

/** What a network has of addresses. @throws Invalid naming each field at fault */
export function planAddresses(asked: AskedAddresses): Addressing {
  const block = blockOf(asked.cidr)
  const gateway = asked.gateway === null ? null : gatewayOf(block, asked.gateway)
  const kept = [...new Set([...reservedOf(block), ...(gateway === null ? [] : [gateway])])]
  const spans = asked.ranges ? spansOf(block, asked.ranges) : wholeOf(block, kept)
  const size = sizeOf(spans, kept)
  if (size > MAX_ADDRESSES)
    throw refused('ranges', `must have up to ${MAX_ADDRESSES} addresses in all; there would be ${size}`)
  if (size < 1n) throw refused(asked.ranges ? 'ranges' : 'cidr', 'must leave an address that can be had')
  return {
    cidr: block.cidr,
    gateway: gateway === null ? null : textOf(block, gateway),
    ranges: spans.map(([from, to]) => ({ from: textOf(block, from), to: textOf(block, to) })),
    size: Number(size),
    kept: kept.map((number) => textOf(block, number)),
  }
}

/** The address in its one spelling. @throws Invalid where nothing can have it in this network */
export function requireUsable({ cidr, gateway }: Pick<Network, 'cidr' | 'gateway'>, address: string): string {
  const block = blockOf(cidr)
  const number = numberIn(block, address)
  if (number === null) throw refused('address', `must be an address of ${cidr}`)
  if (reservedOf(block).includes(number)) throw refused('address', `${address} stands for ${cidr} itself`)
  const text = textOf(block, number)
  if (text === gateway) throw refused('address', `${address} is the gateway of ${cidr}`)
  return text
}

type OnHosts = Pick<Network, 'gateway' | 'bridge' | 'createBridge' | 'uplink' | 'vlan' | 'hostIsGateway'>

/** What is said of the bridge has to fit together. @throws Invalid */
export function requireFitting({ gateway, bridge, createBridge, uplink, vlan, hostIsGateway }: OnHosts): void {
  const faults: FieldFault[] = []
  const fault = (field: string, message: string) => faults.push({ field, message })
  if (createBridge && bridge === null) fault('createBridge', 'needs a bridge')
  if (uplink !== null && !createBridge) fault('uplink', 'is given to a bridge that the agent makes: createBridge')
  if (uplink !== null && uplink === bridge) fault('uplink', 'must not be the bridge itself')
  if (vlan !== null && uplink === null) fault('vlan', 'needs an uplink')
  if (hostIsGateway && !createBridge) fault('hostIsGateway', 'needs a bridge that the agent makes: createBridge')
  if (hostIsGateway && gateway === null) fault('hostIsGateway', 'needs a gateway')
  // the name of the interface that the agent makes of the two
  if (vlan !== null && uplink !== null && `${uplink}.${vlan}`.length > 15)
    fault('uplink', `${uplink}.${vlan} is longer than the name of an interface may be`)
  if (faults.length > 0) throw new Invalid('the network cannot be right', faults)
}

function blockOf(cidr: string): AddressBlock {
  const block = parseBlock(cidr)
  if (!block) throw refused('cidr', 'must be a network: 192.0.2.0/24, 2001:db8::/64')
  const range = ipaddr.parse(block.cidr.split('/')[0]!).range()
  if (block.bits < MIN_BITS || UNUSABLE.includes(range))
    throw refused('cidr', `${block.cidr} is no network of things that are reached by their addresses`)
  return block
}

function gatewayOf(block: AddressBlock, gateway: string): bigint {
  const number = numberIn(block, gateway)
  if (number === null) throw refused('gateway', `must be an address of ${block.cidr}`)
  if (reservedOf(block).includes(number)) throw refused('gateway', `${gateway} stands for ${block.cidr} itself`)
  return number
}

/** From the first address that can be had to the last. */
function wholeOf(block: AddressBlock, kept: readonly bigint[]): Span[] {
  let { first, last } = block
  if (last - first > 2n * BigInt(MAX_ADDRESSES))
    throw refused('ranges', `must be given: ${block.cidr} has more than ${MAX_ADDRESSES} addresses`)
  while (first <= last && kept.includes(first)) first++
  while (last >= first && kept.includes(last)) last--
  return first <= last ? [[first, last]] : []
}

function spansOf(block: AddressBlock, ranges: readonly AddressRange[]): Span[] {
  const spans = ranges.map(({ from, to }, index): Span => {
    const [first, last] = [numberIn(block, from), numberIn(block, to)]
    if (first === null) throw refused(`ranges[${index}].from`, `must be an address of ${block.cidr}`)
    if (last === null) throw refused(`ranges[${index}].to`, `must be an address of ${block.cidr}`)
    if (last < first) throw refused(`ranges[${index}].to`, 'must not come before where the range begins')
    return [first, last]
  })
  const sorted = spans.sort(([a], [b]) => (a < b ? -1 : 1))
  const overlapping = sorted.some(([from], index) => index > 0 && from <= sorted[index - 1]![1])
  if (overlapping) throw refused('ranges', 'must not overlap')
  return sorted
}

function sizeOf(spans: readonly Span[], kept: readonly bigint[]): bigint {
  const all = spans.reduce((sum, [from, to]) => sum + to - from + 1n, 0n)
  const within = kept.filter((number) => spans.some(([from, to]) => number >= from && number <= to))
  return all - BigInt(within.length)
}

const refused = (field: string, message: string): Invalid =>
  new Invalid('the network cannot be right', [{ field, message }])
