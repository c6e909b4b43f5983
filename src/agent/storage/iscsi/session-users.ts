import type { IscsiSession } from './sessions.js'

/**
 * Which of the keeper's targets use a session. Mostly it is one; where a portal is known by two names, or by two tags, it is
 * two, and the session goes with the last.
 */
export class SessionUsers {
  private readonly sids = new Map<string, number>()

  /** What is no session any more has no users. */
  keep(sessions: readonly IscsiSession[]): void {
    for (const [target, sid] of this.sids) {
      if (!sessions.some((session) => session.sid === sid)) this.sids.delete(target)
    }
  }

  hold(sid: number, target: string): void {
    this.sids.set(target, sid)
  }

  release(target: string): void {
    this.sids.delete(target)
  }

  sidOf(target: string): number | undefined {
    return this.sids.get(target)
  }

  isHeldByOthers(sid: number, target: string): boolean {
    return [...this.sids].some(([other, used]) => used === sid && other !== target)
  }
}
