import type { GuestIntent } from '../../wire/guests/intent.js'
import { guestSubject } from '../../wire/guests/kinds.js'
import type { InventoryItem } from '../../wire/session.js'

export const connectionsOf = ({ disks, kernel }: GuestIntent): string[] => [
  ...disks.map(({ connectionId }) => connectionId),
  ...(kernel ? [kernel.image.connectionId] : []),
]

/** Held, and nobody has told this agent of it. */
export const unknownItem = (id: string): InventoryItem => ({
  subject: guestSubject(id),
  generation: 0,
  status: 'UNKNOWN',
  origin: 'plane',
  digest: 'unknown',
  fault: null,
})
