import { volumeSubject } from '../../wire/guests/kinds.js'
import type { EventType } from '../events/event-types.js'
import type { EventDraft } from '../events/events.service.js'
import type { Volume } from './volume.entity.js'

export type ToldVolume = Pick<Volume, 'id' | 'hostId' | 'projectId' | 'name' | 'generation' | 'provisioningStatus'>

/** The columns of `ToldVolume` under the names of the entity, for RETURNING, of the table that goes by `v`. */
export const TOLD_VOLUME = `v.id, v.host_id AS "hostId", v.project_id AS "projectId", v.name, v.generation,
  v.provisioning_status AS "provisioningStatus"`

export function volumeEvent(type: EventType, { id, hostId, projectId, ...row }: ToldVolume): EventDraft {
  const { name, generation, provisioningStatus } = row
  return {
    type,
    subject: volumeSubject(id),
    ...(hostId === null ? {} : { hostId }),
    projectId,
    payload: { volumeId: id, name, generation, provisioningStatus },
  }
}
