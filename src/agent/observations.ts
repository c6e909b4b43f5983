import { MAX_BATCH, MAX_FRAME_CHARS, type Observation } from '../wire/session.js'
import type { Logger } from './logger.js'
import { Outbox, type OutboxOptions } from './outbox.js'
import type { CurrentSession } from './session.js'

export type ObservationOutbox = Outbox<Observation>

/** The latest status of each subject, pushed until the plane has it; never longer than the host has subjects. */
export function createObservationOutbox(
  current: CurrentSession,
  logger: Logger,
  options: Partial<Pick<OutboxOptions<Observation>, 'backoff' | 'random'>> = {},
): ObservationOutbox {
  return new Outbox<Observation>({
    ...options,
    name: 'observations',
    current,
    logger,
    maxItems: MAX_BATCH,
    maxChars: MAX_FRAME_CHARS / 2,
    deliver: async (session, items) => {
      await session.observe([...items.values()])
      return [...items.keys()]
    },
  })
}
