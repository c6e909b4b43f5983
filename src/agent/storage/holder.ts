import { storageSubject } from '../../wire/commands.js'
import { HOST_CONNECTION } from '../../wire/own-things.js'

/** Who asked for an id: the plane, or a program on this host. */
export type Origin = 'plane' | 'host'

export interface Holder {
  readonly origin: Origin
  readonly connectionId: string
}

/**
 * Ids of the plane and of this host's own programs are kept side by side and never meet: an own one is kept under a key with
 * a '/', which no id has.
 */
const OWN = 'host/'

export const ownKey = (connectionId: string): string => `${OWN}${connectionId}`

export const holderOf = (key: string): Holder =>
  key.startsWith(OWN) ? { origin: 'host', connectionId: key.slice(OWN.length) } : { origin: 'plane', connectionId: key }

export const subjectOf = (origin: Origin, connectionId: string): string =>
  origin === 'host' ? `${HOST_CONNECTION}/${connectionId}` : storageSubject(connectionId)
