import type { Permit } from '../wire/session.js'
import { Backoff, type BackoffRange } from './backoff.js'
import { Pause } from './pause.js'
import type { CurrentSession, Session } from './session.js'

export interface PermitAsking {
  readonly current: CurrentSession
  /** True when the answer does not matter any more. */
  readonly giveUp: () => boolean
  readonly remainingMs: number
  readonly backoff?: BackoffRange
  readonly random?: () => number
}

/**
 * Asks for a start permit until it is answered, over as many sessions as that takes: asking twice for the same command is
 * safe. @returns null when it was given up.
 */
export async function askPermit(commandId: string, asking: PermitAsking): Promise<Permit | null> {
  const backoff = new Backoff(asking.backoff ?? { baseMs: 250, maxMs: 10_000 }, asking.random)
  const pause = new Pause()
  const stopListening = asking.current.onChange(() => pause.wake())
  const endsAtMs = performance.now() + asking.remainingMs
  try {
    while (!asking.giveUp()) {
      const { session } = asking.current
      const permit = session === null ? null : await answerOf(session, commandId)
      const moved = asking.current.session !== session
      // No from a session that has ended meanwhile may only mean that it has ended.
      if (permit?.granted || (permit !== null && !moved)) return permit
      if (moved && asking.current.session !== null) continue
      const waitMs = session === null ? 60_000 : backoff.nextMs()
      await pause.wait(Math.min(waitMs, Math.max(0, endsAtMs - performance.now()) + 1))
    }
    return null
  } finally {
    stopListening()
  }
}

async function answerOf(session: Session, commandId: string): Promise<Permit | null> {
  try {
    return await session.permit(commandId)
  } catch {
    return null
  }
}
