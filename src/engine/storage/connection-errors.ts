import { type Caller, mayInPlane } from '../platform/caller.js'
import { Conflict, type DomainError, type FieldFault, Invalid, NotFound } from '../platform/errors.js'
import type { IfMatch } from '../platform/etag.js'

/** VDSM's numbers, beside the problem's type. */
export const BAD_ARGUMENTS = 453
const ID_IN_USE = 478
const ID_UNKNOWN = 479

export const badArguments = (message: string, fault: FieldFault): Invalid =>
  new Invalid(message, [fault], undefined, { number: BAD_ARGUMENTS })

export const badId = (message: string): Invalid =>
  badArguments(`the connection id ${message}`, { field: 'connectionId', message })

export const inUse = (message: string): Conflict => new Conflict(message, 'id-in-use', { number: ID_IN_USE })

export const notHere = (hostId: string, connectionId: string): NotFound =>
  new NotFound(`storage connection ${connectionId} of host ${hostId}`, { number: ID_UNKNOWN })

/** The id is in use, and the caller cannot see by what. */
export function notYours(
  caller: Caller,
  hostId: string,
  connectionId: string,
  { ifMatch }: { readonly ifMatch: IfMatch | null },
): DomainError {
  if (ifMatch) return notHere(hostId, connectionId)
  // whoever sees everything sees that it went between the two statements
  if (mayInPlane(caller, 'viewer')) return new Conflict(`${connectionId} was just let go: try again`, 'pending')
  return inUse(`${connectionId} is in use on this host`)
}

/** Ids that the plane gives itself, for what a storage has on a host. */
const STORAGE_PREFIX = 'storage:'

export const storageConnectionId = (storageId: string): string => `${STORAGE_PREFIX}${storageId}`

/** @throws Invalid for an id that nobody but the plane gives */
export function requireOwnNamespace(connectionId: string): void {
  if (!connectionId.startsWith(STORAGE_PREFIX)) return
  throw badId(`must not begin with '${STORAGE_PREFIX}': such ids are of /api/v1/storages`)
}

/** Such a row goes with its storage, or when its host is no longer matched. */
export function ofStorage(connectionId: string, storage: { readonly id: string; readonly name: string }): Conflict {
  const message = `${connectionId} is there for the storage ${storage.name}: change or delete that`
  return new Conflict(message, 'in-use', { users: [{ noun: 'storage', ...storage }] })
}
