import type { EventType } from '../events/event-types.js'
import type { EventDraft } from '../events/events.service.js'
import type { StorageConnection } from './storage-connection.entity.js'

export const connectionSubject = (hostId: string, connectionId: string): string =>
  `storage-connection/${hostId}/${connectionId}`

export type Told = Pick<
  StorageConnection,
  'hostId' | 'projectId' | 'connectionId' | 'generation' | 'provisioningStatus'
>

/** The columns of `Told` under the names of the entity, for RETURNING, of the table that goes by `alias`. */
export const toldColumns = (alias: string): string =>
  `${alias}.host_id AS "hostId", ${alias}.project_id AS "projectId", ${alias}.connection_id AS "connectionId",
   ${alias}.generation, ${alias}.provisioning_status AS "provisioningStatus"`

export function eventOf(type: EventType, row: Told, more: Readonly<Record<string, unknown>> = {}): EventDraft {
  return {
    type,
    subject: connectionSubject(row.hostId, row.connectionId),
    hostId: row.hostId,
    projectId: row.projectId,
    payload: {
      connectionId: row.connectionId,
      generation: row.generation,
      provisioningStatus: row.provisioningStatus,
      ...more,
    },
  }
}
