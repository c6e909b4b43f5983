import type { Host } from '../hosts/host.entity.js'
import { Conflict } from '../platform/errors.js'
import type { LackingConnection } from '../storage/storage-readiness.js'
import type { HostPromise } from './guest-claim.entity.js'

/** What is wished of the host that a guest is to be on. */
export interface PlacementHints {
  /** This one, or none. */
  readonly hostId?: string | null
  /** Only hosts that have all of these labels. */
  readonly hostLabels?: Readonly<Record<string, string>>
  /**
   * Guests of the project that have the same value of this label of theirs are put as far apart as can be: on hosts that differ in
   * the host label, or just on others.
   */
  readonly spread?: { readonly guestLabel: string; readonly hostLabel?: string | null } | null
}

/** A host as it may be considered for a guest. */
export type GuestHost = Pick<Host, 'id' | 'name' | 'status' | 'kinds' | 'capabilities' | 'labels' | 'facts'> &
  Pick<HostPromise, 'guests' | 'vcpus' | 'memoryMib'> & {
    /** Guests there that this one is to be kept apart from. */
    readonly kin: number
    readonly lacking: readonly LackingConnection[]
  }

export interface RoomAsked {
  readonly vcpus: number
  readonly memoryMib: number
  readonly hints: PlacementHints
}

/** How much of a host may be promised. */
export interface RoomRules {
  readonly vcpusPerCpu: number
  /** Kept for the host itself. */
  readonly reservedMemoryMib: number
}

export interface Room {
  readonly vcpus: number
  readonly memoryMib: number
}

export interface RefusedHost {
  readonly host: string
  readonly reason: string
}

export interface Ranked {
  /** The best first. */
  readonly able: readonly (GuestHost & { readonly room: Room })[]
  readonly refused: readonly RefusedHost[]
}

const MIB = 1_048_576

/** All that a host could ever promise. */
export const roomOf = ({ facts }: Pick<Host, 'facts'>, rules: RoomRules): Room => ({
  vcpus: (facts?.cpus ?? 0) * rules.vcpusPerCpu,
  memoryMib: Math.max(0, Math.floor((facts?.memoryBytes ?? 0) / MIB) - rules.reservedMemoryMib),
})

/** Fewest kin first, then the host that the guest fills most: what is left elsewhere stays large. */
export function rankHosts(hosts: readonly GuestHost[], asked: RoomAsked, rules: RoomRules): Ranked {
  const able: Ranked['able'][number][] = []
  const refused: RefusedHost[] = []
  for (const host of hosts) {
    const room = roomOf(host, rules)
    const reason = obstacleOn(host, asked, room)
    if (reason === null) able.push({ ...host, room })
    else refused.push({ host: host.name, reason })
  }
  const key = asked.hints.spread?.hostLabel
  const kinBeside = kinBy(hosts, key ?? null)
  const left = (host: (typeof able)[number]) => host.room.memoryMib - host.memoryMib
  able.sort((a, b) => kinBeside(a) - kinBeside(b) || a.kin - b.kin || left(a) - left(b) || (a.name < b.name ? -1 : 1))
  return { able, refused }
}

/** Kin on all hosts that have the same value of the label; without one, on the host itself. */
function kinBy(hosts: readonly GuestHost[], label: string | null): (host: GuestHost) => number {
  if (label === null) return ({ kin }) => kin
  const sums = new Map<string | undefined, number>()
  for (const { labels, kin } of hosts) sums.set(labels[label], (sums.get(labels[label]) ?? 0) + kin)
  return ({ labels }) => sums.get(labels[label]) ?? 0
}

/** Why this host is not considered; null: nothing is known against it. */
function obstacleOn(host: GuestHost, { vcpus, memoryMib, hints }: RoomAsked, room: Room): string | null {
  if (hints.hostId && hints.hostId !== host.id) return 'it is to be another'
  if (host.status !== 'Up') return `it is ${host.status}`
  const other = Object.entries(hints.hostLabels ?? {}).find(([key, value]) => host.labels[key] !== value)
  if (other) return `it has not the label ${other.join('=')}`
  if (!host.kinds.includes('guests.apply')) return 'its agent does not understand guests.apply'
  if (!host.capabilities.some((capability) => capability.startsWith('hypervisor:')))
    return 'it lacks the capability hypervisor'
  const [memoryLeft, vcpusLeft] = [room.memoryMib - host.memoryMib, room.vcpus - host.vcpus]
  if (memoryLeft < memoryMib) return `it has ${Math.max(0, memoryLeft)} MiB of memory left`
  if (vcpusLeft < vcpus) return `it has ${Math.max(0, vcpusLeft)} vCPUs left`
  const [lack] = host.lacking
  return lack ? `storage connection ${lack.connectionId} is ${wordsOf(lack)} there` : null
}

const wordsOf = ({ reason, operatingStatus }: LackingConnection): string =>
  reason === 'down' ? (operatingStatus ?? 'DOWN') : reason

const SHOWN = 50

/** Tells of each host what stands in the way. */
export function noRoom(refused: readonly RefusedHost[]): Conflict {
  const told = refused.slice(0, 3).map(({ host, reason }) => `${host}: ${reason}`)
  const why = told.length === 0 ? 'there are no hosts' : told.join('; ')
  return new Conflict(`no host can take the guest: ${why}`, 'no-room', { refused: refused.slice(0, SHOWN) })
}
