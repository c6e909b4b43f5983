import { guestSubject } from '../../wire/guests/kinds.js'
import type { EventType } from '../events/event-types.js'
import type { EventDraft } from '../events/events.service.js'
import type { Guest } from './guest.entity.js'

export type ToldGuest = Pick<
  Guest,
  'id' | 'hostId' | 'projectId' | 'name' | 'generation' | 'provisioningStatus' | 'operatingStatus' | 'step'
>

/** The columns of `ToldGuest` under the names of the entity, for RETURNING, of the table that goes by `g`. */
export const TOLD_GUEST = `g.id, g.host_id AS "hostId", g.project_id AS "projectId", g.name, g.generation,
  g.provisioning_status AS "provisioningStatus", g.operating_status AS "operatingStatus", g.step`

export function guestEvent(type: EventType, row: ToldGuest, more: Readonly<Record<string, unknown>> = {}): EventDraft {
  const { id, name, generation, provisioningStatus, operatingStatus, step } = row
  return {
    type,
    subject: guestSubject(id),
    hostId: row.hostId,
    projectId: row.projectId,
    payload: { guestId: id, name, generation, provisioningStatus, operatingStatus, step, ...more },
  }
}
