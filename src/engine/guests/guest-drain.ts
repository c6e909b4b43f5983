import { guestSubject } from '../../wire/guests/kinds.js'
import type { Tx } from '../platform/database.js'
import type { Blocker } from '../platform/drains.js'
import { GUEST_NOUN } from './guest.entity.js'

/** A host is not in maintenance while guests are to run there, or anything is done with one. */
export async function guestsToStop(tx: Tx, hostId: string): Promise<Blocker[]> {
  const rows: { id: string; name: string; power: string; status: string }[] = await tx.query(
    `SELECT id, name, power, provisioning_status AS status FROM guests
     WHERE host_id = $1 AND (power <> 'STOPPED' OR provisioning_status LIKE 'PENDING%') ORDER BY id LIMIT 1000`,
    [hostId],
  )
  return rows.map(({ id, name, power, status }) => {
    return { noun: GUEST_NOUN, id, reason: `guest ${name} (${guestSubject(id)}) is ${status}, and to be ${power}` }
  })
}
