import { balancerSubject } from '../../wire/commands.js'
import type { EventType } from '../events/event-types.js'
import type { EventDraft } from '../events/events.service.js'
import type { LoadBalancer } from './load-balancer.entity.js'

export type Told = Pick<LoadBalancer, 'id' | 'hostId' | 'projectId' | 'name' | 'generation' | 'provisioningStatus'>

/** The columns of `Told` under the names of the entity, for RETURNING, of the table that goes by `alias`. */
export const toldColumns = (alias: string): string =>
  `${alias}.id, ${alias}.host_id AS "hostId", ${alias}.project_id AS "projectId", ${alias}.name, ${alias}.generation,
   ${alias}.provisioning_status AS "provisioningStatus"`

export function eventOf(type: EventType, row: Told, more: Readonly<Record<string, unknown>> = {}): EventDraft {
  const { id, name, generation, provisioningStatus } = row
  return {
    type,
    subject: balancerSubject(id),
    hostId: row.hostId,
    projectId: row.projectId,
    payload: { loadBalancerId: id, name, generation, provisioningStatus, ...more },
  }
}
