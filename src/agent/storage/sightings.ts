import { createHash } from 'node:crypto'
import type { StorageOperatingStatus } from '../../wire/commands.js'
import { MAX_OWN_THINGS, type OwnConnectionDetail, SIGHTED_CONNECTION } from '../../wire/own-things.js'
import type { Fault, InventoryItem } from '../../wire/session.js'
import { faultOf } from '../fault.js'
import { connectFailed } from './faults.js'
import type { KernelConnection } from './kernel.js'

/** A target without an id that is still being let go of (S5). */
export interface LeavingTarget {
  readonly target: string
  readonly status: StorageOperatingStatus
  readonly fault: Fault | null
  /** ISO 8601. */
  readonly faultAt: string | null
}

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
  readonly uri: string
  readonly mountPoint: string | null
  /** UP says that the kernel shows it connected: nobody probes what nobody holds. */
  readonly status: StorageOperatingStatus
  readonly fault: Fault | null
  /** ISO 8601. */
  readonly faultAt: string | null
}

/** One for each actual connection, at the first place at which it is mounted, and for each target that is being let go of. */
export function unmanagedAmong(
  seen: readonly KernelConnection[],
  recognise: (connection: KernelConnection) => Recognised | null,
): Sighting[] {
  const looks = seen.map((connection) => ({ connection, known: recognise(connection) }))
  const told = new Set(looks.filter(({ known }) => known?.how === 'itself').map(({ connection }) => actual(connection)))
  const sightings = looks.flatMap(({ connection, known }) => {
    const uri = known === null ? connection.uri : known.leaving?.target
    if (!uri) return []
    const one = known === null ? actual(connection) : uri
    if (told.has(one)) return []
    told.add(one)
    return sightingOf(connection, uri, known?.leaving ?? statusOf(connection))
  })
  return sightings.slice(0, MAX_OWN_THINGS)
}

const actual = (connection: KernelConnection): string =>
  connection.kind === 'mount' ? connection.device : `session${connection.session.sid}`

type Seen = Pick<Sighting, 'status' | 'fault' | 'faultAt'>

function sightingOf(connection: KernelConnection, uri: string, { status, fault, faultAt }: Seen): Sighting {
  const mountPoint = connection.kind === 'mount' ? connection.mountPoint : null
  const id = createHash('sha256')
    .update(JSON.stringify([uri, mountPoint]))
    .digest('hex')
    .slice(0, 16)
  return { id, uri, mountPoint, status, fault, faultAt }
}

/** Since when, the kernel does not say. */
function statusOf(connection: KernelConnection): Seen {
  const up = connection.kind === 'mount' || connection.session.state === 'LOGGED_IN'
  if (up) return { status: 'UP', fault: null, faultAt: null }
  const { sid, state } = connection.session
  const fault = faultOf(connectFailed(`the kernel says that session${sid} is ${state}`))
  return { status: 'DOWN', fault, faultAt: null }
}

export function itemOf({ id, uri, mountPoint, status, fault }: Sighting): InventoryItem {
  const detail: OwnConnectionDetail = { uri, target: uri, options: {}, mountPoint }
  const subject = `${SIGHTED_CONNECTION}/${id}`
  return { subject, generation: 0, status, origin: 'host', digest: id, fault, detail: { ...detail } }
}
