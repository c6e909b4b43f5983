import { storageSubject } from '../../wire/commands.js'
import { HOST_CONNECTION } from '../../wire/own-things.js'

/** Who asked for an id: the plane, or a program on this host. */
export type Origin = 'plane' | 'host'

/**
 * Ids of the plane and of this host's own programs are kept side by side and never meet: an own one is kept under a key with
 * a '/', which no id has.
 */
const OWN = 'host/'

export const ownKey = (connectionId: string): string => `${OWN}${connectionId}`
export const originOf = (key: string): Origin => (key.startsWith(OWN) ? 'host' : 'plane')
export const idOf = (key: string): string => (originOf(key) === 'host' ? key.slice(OWN.length) : key)
export const subjectOf = (key: string): string =>
  originOf(key) === 'host' ? `${HOST_CONNECTION}/${idOf(key)}` : storageSubject(key)
