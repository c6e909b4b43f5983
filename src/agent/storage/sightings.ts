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
  /** Null: some id holds it. */
  readonly leaving: LeavingTarget | null
}

/** A connection that no id holds, under an id that lasts as long as it does (S6). It is shown, and never touched. */
export interface Sighting {
  readonly id: string
  /** Of what was held, the target. */
  readonly uri: string
  readonly mountPoint: string | null
  /** It was held, and is being disconnected. */
  readonly leaving: boolean
  /** UP says that the kernel shows it connected: nobody probes what nobody holds. */
  readonly status: StorageOperatingStatus
  readonly fault: Fault | null
}

/** One for each actual connection, at the first place at which it is mounted, and for each target that is being let go of. */
export function unmanagedAmong(
  seen: readonly KernelConnection[],
  recognise: (connection: KernelConnection) => Recognised | null,
): Sighting[] {
  const looks = seen.map((connection) => ({ connection, known: recognise(connection) }))
  const told = new Set(looks.filter(({ known }) => known?.how === 'itself').map(({ connection }) => actual(connection)))
  return looks.flatMap(({ connection, known }) => {
    const uri = known === null ? connection.uri : known.leaving?.target
    if (!uri) return []
    const one = known === null ? actual(connection) : uri
    if (told.has(one)) return []
    told.add(one)
    return sightingOf(connection, uri, known?.leaving ?? null)
  })
}

/** Also what could not be disconnected to the end, though the kernel shows nothing of it. */
export function withLeaving(seen: readonly Sighting[], leaving: readonly LeavingTarget[]): Sighting[] {
  const shown = new Set(seen.filter((sighting) => sighting.leaving).map(({ uri }) => uri))
  const hidden = leaving.filter(({ target, status, preexisting, fault }) => {
    const fails = fault !== null && (status === 'DISCONNECTING' || status === 'STUCK')
    return fails && !preexisting && !shown.has(target)
  })
  const sightings = hidden.map(({ target, status, fault }): Sighting => {
    return { id: idOf('leaving', target), uri: target, mountPoint: null, leaving: true, status, fault }
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

function sightingOf(connection: KernelConnection, uri: string, leaving: LeavingTarget | null): Sighting {
  const mountPoint = connection.kind === 'mount' ? connection.mountPoint : null
  const id = idOf(uri, mountPoint)
  const { status, fault } = leaving ?? statusOf(connection)
  return { id, uri, mountPoint, leaving: leaving !== null && !leaving.preexisting, status, fault }
}

const idOf = (...parts: readonly (string | null)[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)

function statusOf(connection: KernelConnection): Pick<Sighting, 'status' | 'fault'> {
  if (connection.kind === 'mount' || connection.session.state === 'LOGGED_IN') return { status: 'UP', fault: null }
  const { sid, state } = connection.session
  return { status: 'DOWN', fault: faultOf(connectFailed(`the kernel says that session${sid} is ${state}`)) }
}

export function itemOf({ id, uri, mountPoint, leaving, status, fault }: Sighting): InventoryItem {
  const detail: OwnConnectionDetail = { uri, target: uri, options: {}, mountPoint, leaving }
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
