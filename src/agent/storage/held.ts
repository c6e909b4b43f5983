import { type StorageOperatingStatus, storageSubject } from '../../wire/commands.js'
import { digestOf } from '../../wire/digest.js'
import type { Fault, InventoryItem, Observation } from '../../wire/session.js'
import type { StorageOptions } from '../../wire/storage/arguments.js'
import { datedFault } from '../fault.js'
import { type Holder, holderOf, subjectOf } from './holder.js'
import type { StoredConnection } from './state.js'
import type { Target } from './target.js'

export interface HeldConnection extends Holder {
  readonly uri: string
  readonly target: string
  readonly options: StorageOptions
  readonly generation: number
  readonly status: StorageOperatingStatus
  readonly preexisting: boolean
  readonly fault: Fault | null
  /** ISO 8601. */
  readonly faultAt: string | null
}

/** A target that no id holds, and that is not done with yet. */
export interface LeavingTarget {
  readonly target: string
  readonly status: StorageOperatingStatus
  /** It stays connected. */
  readonly preexisting: boolean
  readonly fault: Fault | null
}

/** Null: some id holds it. */
export const leavingOf = ({ wants, key, status, preexisting, fault, faultAt }: Target): LeavingTarget | null =>
  wants.ids.length > 0 ? null : { target: key, status, preexisting, fault: datedFault(fault, faultAt) }

const unknownView = { status: 'UNKNOWN', fault: null, faultAt: null } as const

/** @param target what the id is seen by; undefined: what is on disk is not understood */
export function heldConnection(id: string, stored: StoredConnection, target: Target | undefined): HeldConnection {
  const { uri, options, generation, target: key } = stored
  const { status, fault, faultAt } = target?.viewOf(id) ?? unknownView
  const preexisting = target?.preexisting ?? false
  return { ...holderOf(id), uri, target: key, options, generation, status, preexisting, fault, faultAt }
}

/** The digest leaves credentials out: their change is a generation, and a hash of a password is a way to it. */
export function inventoryItemOf(held: HeldConnection): InventoryItem {
  const { connectionId, origin, uri, target, options, generation, status, preexisting, fault, faultAt } = held
  const told = { uri, target, preexisting }
  return {
    subject: subjectOf(origin, connectionId),
    generation,
    status,
    origin,
    digest: digestOf({ uri, options }),
    fault: datedFault(fault, faultAt),
    detail: origin === 'host' ? { ...told, options, mountPoint: null } : told,
  }
}

export const observationOf = (held: HeldConnection): Observation => ({
  subject: storageSubject(held.connectionId),
  generation: held.generation,
  status: held.status,
  fault: datedFault(held.fault, held.faultAt),
  detail: { preexisting: held.preexisting },
})
