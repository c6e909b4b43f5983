import { createHash } from 'node:crypto'
import type { StorageOperatingStatus } from '../../wire/commands.js'
import {
  MAX_OWN_THINGS,
  type OwnConnectionDetail,
  SIGHTED_CONNECTION,
  UNTOLD_CONNECTIONS,
  type UntoldDetail,
} from '../../wire/own-things.js'
import type { Fault, InventoryItem } from '../../wire/session.js'
import { faultOf } from '../fault.js'
import { connectFailed } from './faults.js'
import type { LeavingTarget } from './held.js'
import type { KernelConnection } from './kernel.js'

/** What the keeper knows of something that the kernel shows. */
export interface Recognised {
  /** `view`: only this place is ours, as with a bind mount; what it shows belongs to something else. */
  readonly how: 'itself' | 'view'
  /** Some id holds it. */
  readonly held: boolean
  /** No id holds it any more, and it is being disconnected. */
  readonly leaving: boolean
  readonly target: string
  readonly status: StorageOperatingStatus
  readonly fault: Fault | null
}

/** A connection that no id holds, under an id that lasts as long as it does (S6). It is shown, and never touched. */
export interface Sighting {
  readonly id: string
  readonly uri: string
  /** The target that was held; of what never was, the URI. */
  readonly target: string
  readonly mountPoint: string | null
  /** It was held, and is being disconnected. */
  readonly leaving: boolean
  /** UP says that the kernel shows it connected: nobody probes what nobody holds. */
  readonly status: StorageOperatingStatus
  readonly fault: Fault | null
}

/** One for each actual connection, at the first place at which it is mounted. */
export function unmanagedAmong(
  seen: readonly KernelConnection[],
  recognise: (connection: KernelConnection) => Recognised | null,
): Sighting[] {
  const looks = seen.map((connection) => ({ connection, known: recognise(connection) }))
  const told = new Set(
    looks.filter(({ known }) => known?.held && known.how === 'itself').map(({ connection }) => actual(connection)),
  )
  return looks.flatMap(({ connection, known }) => {
    if (known?.held || told.has(actual(connection))) return []
    told.add(actual(connection))
    return sightingOf(connection, known)
  })
}

/**
 * Also what could not be disconnected and is not among what is listed of the kernel: a view of one of the system's own
 * filesystems, or of one that is listed already.
 */
export function withLeaving(seen: readonly Sighting[], leaving: readonly LeavingTarget[]): Sighting[] {
  const shown = new Set(seen.filter((sighting) => sighting.leaving).map(({ target }) => target))
  const hidden = leaving.filter(({ target, preexisting, fault }) => {
    return !preexisting && fault !== null && !shown.has(target)
  })
  const sightings = hidden.map(({ target, status, fault }): Sighting => {
    return { id: idOf('leaving', target), uri: target, target, mountPoint: null, leaving: true, status, fault }
  })
  return [...seen, ...sightings]
}

/** As many as are told of, and how many more there are; what is being disconnected is not among those. */
export function boundedSightings(all: readonly Sighting[]): {
  readonly told: readonly Sighting[]
  readonly untold: number
} {
  if (all.length <= MAX_OWN_THINGS) return { told: all, untold: 0 }
  const inOrder = [...all.filter(({ leaving }) => leaving), ...all.filter(({ leaving }) => !leaving)]
  return { told: inOrder.slice(0, MAX_OWN_THINGS), untold: all.length - MAX_OWN_THINGS }
}

const actual = (connection: KernelConnection): string =>
  connection.kind === 'mount' ? connection.device : `session${connection.session.sid}`

function sightingOf(connection: KernelConnection, known: Recognised | null): Sighting {
  const mountPoint = connection.kind === 'mount' ? connection.mountPoint : null
  const id = idOf(connection.uri, mountPoint)
  const { status, fault } = known ?? statusOf(connection)
  const { target, leaving } = known ?? { target: connection.uri, leaving: false }
  return { id, uri: connection.uri, target, mountPoint, leaving, status, fault }
}

const idOf = (...parts: readonly (string | null)[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)

function statusOf(connection: KernelConnection): Pick<Sighting, 'status' | 'fault'> {
  if (connection.kind === 'mount' || connection.session.state === 'LOGGED_IN') return { status: 'UP', fault: null }
  const { sid, state } = connection.session
  return { status: 'DOWN', fault: faultOf(connectFailed(`the kernel says that session${sid} is ${state}`)) }
}

export function itemOf({ id, uri, target, mountPoint, leaving, status, fault }: Sighting): InventoryItem {
  const detail: OwnConnectionDetail = { uri, target, options: {}, mountPoint, leaving }
  const subject = `${SIGHTED_CONNECTION}/${id}`
  return { subject, generation: 0, status, origin: 'host', digest: id, fault, detail: { ...detail } }
}

/** None where all is told. */
export function untoldItems(count: number): InventoryItem[] {
  if (count === 0) return []
  const detail: UntoldDetail = { count }
  const subject = `${UNTOLD_CONNECTIONS}/unmanaged`
  return [{ subject, generation: 0, status: 'UNKNOWN', origin: 'host', digest: `${count}`, detail: { ...detail } }]
}
