import { balancingCapability, type Provider, providers } from '../../wire/balancing/providers.js'
import type { Host } from '../hosts/host.entity.js'
import { Conflict } from '../platform/errors.js'

/** A host as it may be considered for a balancer. */
export type PlacementHost = Pick<Host, 'id' | 'name' | 'status' | 'kinds' | 'capabilities' | 'labels'>

/** What a balancer can live on, and how many do. */
export interface Place {
  readonly kind: 'host' | 'appliance'
  /** The host's id, or the appliance's name. */
  readonly name: string
  readonly hostId: string
}

/** A device that is known already. */
export interface OccupiedPlace extends Place {
  readonly balancers: number
}

export interface PlaceAsked {
  /** Null: the first, in the order of the table, that some host in service has. */
  readonly provider: Provider | null
  /** Of its hosts, as an availability zone says it. */
  readonly labels?: Readonly<Record<string, string>>
  readonly exceptHostIds?: readonly string[]
}

export interface ChosenPlace extends Place {
  readonly provider: Provider
}

const DEVICE = /^balancing-device:(.{1,64}):([a-z]+)$/

/**
 * The device with the fewest balancers; among equals, chance.
 * @throws Conflict `no-room`, which tells of each host what stands in the way
 */
export function choosePlace(
  hosts: readonly PlacementHost[],
  devices: readonly OccupiedPlace[],
  asked: PlaceAsked,
  chance: () => number = Math.random,
): ChosenPlace {
  const able = hosts.filter((host) => obstacleOn(host, asked) === null)
  for (const provider of asked.provider ? [asked.provider] : providers) {
    const found = fewest(placesOn(able, provider, devices), chance)
    if (found) return { ...found, provider }
  }
  throw noRoom(hosts, asked)
}

function fewest(places: readonly OccupiedPlace[], chance: () => number): Place | null {
  const least = Math.min(...places.map((place) => place.balancers))
  const equals = places.filter((place) => place.balancers === least)
  const found = equals[Math.floor(chance() * equals.length)]
  return found ? { kind: found.kind, name: found.name, hostId: found.hostId } : null
}

/** Hosts themselves and the appliances that they reach: one in somebody's charge is where that host is. */
function placesOn(
  hosts: readonly PlacementHost[],
  provider: Provider,
  devices: readonly OccupiedPlace[],
): OccupiedPlace[] {
  const known = new Map(devices.map((device) => [`${device.kind} ${device.name}`, device]))
  const found = new Map<string, OccupiedPlace>()
  for (const host of hosts) {
    for (const { kind, name } of reachedBy(host, provider)) {
      const device = known.get(`${kind} ${name}`)
      if (device && device.hostId !== host.id) continue
      found.set(`${kind} ${name}`, { kind, name, hostId: host.id, balancers: device?.balancers ?? 0 })
    }
  }
  return [...found.values()]
}

function reachedBy({ id, capabilities }: PlacementHost, provider: Provider): Pick<Place, 'kind' | 'name'>[] {
  const appliances = capabilities.flatMap((capability) => {
    const [, name, of] = DEVICE.exec(capability) ?? []
    return name !== undefined && of === provider ? [{ kind: 'appliance' as const, name }] : []
  })
  const itself = capabilities.includes(balancingCapability(provider)) ? [{ kind: 'host' as const, name: id }] : []
  return [...itself, ...appliances]
}

/** Why this host is not considered; null: nothing is known against it. */
function obstacleOn(host: PlacementHost, { provider, labels = {}, exceptHostIds = [] }: PlaceAsked): string | null {
  if (exceptHostIds.includes(host.id)) return 'it is to be another'
  if (host.status !== 'Up') return `it is ${host.status}`
  const other = Object.entries(labels).find(([key, value]) => host.labels[key] !== value)
  if (other) return `it has not the label ${other.join('=')}`
  if (!host.kinds.includes('balancing.apply')) return 'its agent does not understand balancing.apply'
  const wanted = provider ? [provider] : providers
  if (wanted.some((one) => reachedBy(host, one).length > 0)) return null
  return `it lacks the capability ${provider ? balancingCapability(provider) : 'balancing'}`
}

const SHOWN = 50

function noRoom(hosts: readonly PlacementHost[], asked: PlaceAsked): Conflict {
  const refused = hosts
    .slice(0, SHOWN)
    .map((host) => ({ host: host.name, reason: obstacleOn(host, asked) ?? 'its devices are in charge of others' }))
  const told = refused.slice(0, 3).map(({ host, reason }) => `${host}: ${reason}`)
  const why = told.length === 0 ? 'there are no hosts' : told.join('; ')
  return new Conflict(`no host can take the load balancer: ${why}`, 'no-room', { refused })
}
