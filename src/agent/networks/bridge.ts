import { networkInterfaces } from 'node:os'
import type { NetworkIntent } from '../../wire/networks.js'
import { FaultError } from '../fault.js'
import { type Interface, portsOf, readInterface } from './interfaces.js'
import { withPrefix } from './ip.js'

/** The group of interfaces of our making. It is given with the interface itself: a crash leaves none unmarked. */
const OUR_GROUP = 27_500
const UPLINK = 'keelson-uplink:'

/** What is to be done on the host until the bridge is there. Nothing of a bridge that is not ours is changed. */
export async function bridgeLines(network: NetworkIntent & { readonly bridge: string }): Promise<string[]> {
  const { bridge, createBridge, cidr, gateway, hostIsGateway } = network
  const seen = await readInterface(bridge)
  if (seen === null && !createBridge) throw new FaultError('bridge-missing', `this host has no bridge ${bridge}`)
  if (seen !== null && !seen.isBridge) throw new FaultError('bridge-missing', `${bridge} of this host is no bridge`)
  if (seen !== null && seen.group !== OUR_GROUP) return []
  return [
    ...(seen === null ? [`link add ${bridge} group ${OUR_GROUP} type bridge`] : []),
    ...(await uplinkLines(network, seen)),
    ...(hostIsGateway && gateway !== null ? [`addr replace ${withPrefix(gateway, cidr)} dev ${bridge}`] : []),
    ...(seen?.up ? [] : [`link set ${bridge} up`]),
  ]
}

/** What is to be done about a bridge that something has just left: ours goes when nothing but its uplink is on it. */
export async function leftBridgeLines(bridge: string): Promise<string[]> {
  const seen = await readInterface(bridge)
  if (seen === null || !seen.isBridge || seen.group !== OUR_GROUP) return []
  const uplink = seen.alias.startsWith(UPLINK) ? seen.alias.slice(UPLINK.length) : null
  if ((await portsOf(bridge)).some((port) => port !== uplink)) return []
  const port = uplink === null ? null : await readInterface(uplink)
  return [
    // first: it is found by the alias of the bridge
    ...(port !== null && port.group === OUR_GROUP ? [`link del ${uplink}`] : []),
    `link del ${bridge}`,
  ]
}

async function uplinkLines(
  { bridge, uplink, vlan }: NetworkIntent & { readonly bridge: string },
  seen: Interface | null,
): Promise<string[]> {
  if (uplink === null) return []
  const below = await readInterface(uplink)
  if (below === null) throw new FaultError('uplink-missing', `this host has no interface ${uplink}`)
  const port = vlan === null ? uplink : `${uplink}.${vlan}`
  const there = vlan === null ? below : await readInterface(port)
  const master = there?.master ?? null
  if (master !== null && master !== bridge)
    throw new FaultError('uplink-in-use', `${port} is a port of bridge ${master} on this host`)
  if (master === null && vlan === null) requireIdle(uplink)
  return [
    ...(seen?.alias === `${UPLINK}${port}` ? [] : [`link set ${bridge} alias ${UPLINK}${port}`]),
    ...(there === null ? [`link add link ${uplink} name ${port} group ${OUR_GROUP} type vlan id ${vlan}`] : []),
    ...(below.up ? [] : [`link set ${uplink} up`]),
    ...(master === bridge ? [] : [`link set ${port} master ${bridge}`]),
    ...(there?.up ? [] : [`link set ${port} up`]),
  ]
}

/** A port of a bridge answers for no address: the host would cut itself off. */
function requireIdle(uplink: string): void {
  const own = (networkInterfaces()[uplink] ?? []).find(({ address }) => !/^(fe80:|169\.254\.)/i.test(address))
  if (own)
    throw new FaultError('uplink-in-use', `${uplink} has the address ${own.address} of this host, and would lose it`)
}
