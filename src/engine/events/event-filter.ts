import { type Caller, visibleProjects } from '../platform/caller.js'
import type { EventStreamQuery } from './event.dto.js'
import type { EventFilter } from './event-log.js'

/** What the caller asks for of what the caller may see. */
export const filterOf = (caller: Caller, query: EventStreamQuery): EventFilter => ({
  types: query.type,
  subject: query.subject,
  // UUIDs as the database spells them
  hostIds: query.hostId?.map((id) => id.toLowerCase()),
  projectIds: visibleProjects(caller, query.projectId) ?? undefined,
})
