import type { EventType } from '../events/event-types.js'
import type { EventDraft } from '../events/events.service.js'
import type { Storage } from './storage.entity.js'

export const storageEvent = (
  type: EventType,
  { id, name, projectId, generation }: Pick<Storage, 'id' | 'name' | 'projectId' | 'generation'>,
  more: Readonly<Record<string, unknown>> = {},
): EventDraft => ({ type, subject: `storage/${id}`, projectId, payload: { name, generation, ...more } })
