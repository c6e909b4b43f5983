import { guestSubject } from '../../wire/guests/kinds.js'
import type { Tx } from '../platform/database.js'
import type { Blocker } from '../platform/drains.js'
import { GUEST_NOUN } from './guest.entity.js'

/**
 * A host is not in maintenance while guests are to run there, or anything is done with one. One in ERROR, with which nothing can be
 * done but to make it anew or to remove it, counts only while something of it runs.
 */
export async function guestsToStop(tx: Tx, hostId: string): Promise<Blocker[]> {
  const rows: { id: string; name: string; power: string; status: string }[] = await tx.query(
    `SELECT id, name, power, provisioning_status AS status FROM guests
     WHERE host_id = $1 AND (provisioning_status LIKE 'PENDING%' OR CASE provisioning_status
       WHEN 'ERROR' THEN operating_status IN ('RUNNING', 'PAUSED', 'CRASHED') ELSE power <> 'STOPPED' END)
     ORDER BY id LIMIT 1000`,
    [hostId],
  )
  return rows.map(({ id, name, power, status }) => {
    return { noun: GUEST_NOUN, id, reason: `guest ${name} (${guestSubject(id)}) is ${status}, and to be ${power}` }
  })
}
