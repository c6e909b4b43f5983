import { FaultError } from '../fault.js'
import type { Ip } from './ip.js'

/** What a place's namespace has, of the family of its VIP. */
export interface Inside {
  /** Of the loopback and of the inner end of the pair. */
  readonly up: boolean
  readonly mac: string
  /** With their prefixes, those alone that others on the network may use. */
  readonly addresses: readonly string[]
  /** Of the default route. */
  readonly gateway: string | null
}

interface ShownInterface {
  readonly ifname: string
  readonly flags: readonly string[]
  readonly address?: string
  readonly addr_info: readonly { readonly local: string; readonly prefixlen: number; readonly scope: string }[]
}

interface ShownRoute {
  readonly gateway?: string
}

/** @param address whose family is asked for */
export async function readInside(ip: Ip, name: string, address: string): Promise<Inside> {
  const flags = [address.includes(':') ? '-6' : '-4', '-j']
  // the family leaves an interface out that has no address of it: its state is asked for besides
  const lines = ['link show', 'addr show', 'route show default']
  const text = await ip.batch({ name, namespace: name, lines, flags })
  const [links = [], shown = [], routes = []] = text.split('\n').filter(Boolean).map(parsed)
  const inner = (links as ShownInterface[]).find(({ ifname }) => ifname === 'vip')
  if (!inner?.address) throw new FaultError('network', `the namespace ${name} has no interface vip`)
  const addresses = (shown as ShownInterface[]).find(({ ifname }) => ifname === 'vip')?.addr_info ?? []
  return {
    up: ['lo', 'vip'].every((wanted) =>
      (links as ShownInterface[]).some(({ ifname, flags: own }) => ifname === wanted && own.includes('UP')),
    ),
    mac: inner.address,
    addresses: addresses
      .filter(({ scope }) => scope === 'global')
      .map(({ local, prefixlen }) => `${local}/${prefixlen}`),
    gateway: (routes as ShownRoute[])[0]?.gateway ?? null,
  }
}

function parsed(line: string): unknown[] {
  try {
    // of ip(8), in the shape of its JSON
    return JSON.parse(line) as unknown[]
  } catch {
    throw new FaultError('network', `ip told what cannot be read: ${line.slice(0, 200)}`)
  }
}
