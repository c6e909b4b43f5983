import type { EventType } from '../events/event-types.js'
import type { EventDraft } from '../events/events.service.js'
import type { Network } from './network.entity.js'

export const networkEvent = (
  type: EventType,
  { id, name, cidr, projectId, generation }: Pick<Network, 'id' | 'name' | 'cidr' | 'projectId' | 'generation'>,
): EventDraft => ({ type, subject: `network/${id}`, projectId, payload: { name, cidr, generation } })
