import { MAX_FRAME_CHARS, type Report } from '../wire/session.js'
import type { KnownCommand, Outcome } from './journal-record.js'
import type { Logger } from './logger.js'
import { Outbox, type OutboxOptions } from './outbox.js'
import type { CurrentSession } from './session.js'

const MAX_REPORTS_PER_CALL = 64

export type ReportOutbox = Outbox<Report>

/** Reports are repeated until the plane has recorded them; `onRecorded` learns which. */
export function createReportOutbox(
  current: CurrentSession,
  logger: Logger,
  onRecorded: (commandIds: readonly string[]) => Promise<void>,
  options: Partial<Pick<OutboxOptions<Report>, 'backoff' | 'random'>> = {},
): ReportOutbox {
  return new Outbox<Report>({
    ...options,
    name: 'reports',
    current,
    logger,
    maxItems: MAX_REPORTS_PER_CALL,
    maxChars: MAX_FRAME_CHARS / 2,
    deliver: async (session, items) => {
      const acknowledged = await session.report([...items.values()])
      await onRecorded(acknowledged)
      return acknowledged
    },
  })
}

export function reportOf(command: Pick<KnownCommand, 'id' | 'seq'>, { state, result, fault }: Outcome): Report {
  return { commandId: command.id, seq: command.seq, state, ...(result && { result }), ...(fault && { fault }) }
}
