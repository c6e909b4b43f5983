import { Injectable } from '@nestjs/common'
import { balancerSubject } from '../../wire/commands.js'
import { EventFeed } from '../events/event-feed.js'
import type { EventType } from '../events/event-types.js'
import { Events } from '../events/events.service.js'

/** After which a balancer may be what somebody waits for. */
const telling: readonly EventType[] = [
  'balancing.balancer.applied',
  'balancing.balancer.failed',
  'balancing.balancer.deleted',
  'balancing.balancer.forgotten',
]

/** An event may be lost with its history: who waits looks this often without one. */
const LOOK_ANYWAY_MS = 2_000

interface Following {
  readonly begun: Promise<unknown>
  readonly ending: AbortController
}

/**
 * Wakes who waits for balancers: at once where their host answers this replica, by one reading of the event log where it
 * answers another.
 */
@Injectable()
export class BalancerChanges {
  private readonly waiting = new Map<string, Set<() => void>>()
  private following: Following | null = null

  constructor(
    private readonly feed: EventFeed,
    events: Events,
  ) {
    events.heard((drafts) => {
      for (const { type, subject } of drafts) if (telling.includes(type)) this.wake(subject)
    })
  }

  /** Asks again after each change of the balancer, until the answer is yes or the time is over. */
  async until(id: string, timeoutMs: number, isReached: () => Promise<boolean>): Promise<void> {
    const endsMs = performance.now() + timeoutMs
    const subject = balancerSubject(id)
    let woken = true
    let wake: () => void = () => undefined
    const listener = () => {
      woken = true
      wake()
    }
    this.enter(subject, listener)
    try {
      await this.following?.begun.catch(() => undefined)
      while (!(await isReached())) {
        woken = false
        const leftMs = endsMs - performance.now()
        if (leftMs <= 0) return
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, Math.min(leftMs, LOOK_ANYWAY_MS))
          wake = () => {
            clearTimeout(timer)
            resolve()
          }
          if (woken) wake()
        })
      }
    } finally {
      this.leave(subject, listener)
    }
  }

  private enter(subject: string, listener: () => void): void {
    const listeners = this.waiting.get(subject) ?? new Set()
    this.waiting.set(subject, listeners.add(listener))
    this.following ??= this.follow()
  }

  private leave(subject: string, listener: () => void): void {
    const listeners = this.waiting.get(subject)
    listeners?.delete(listener)
    if (listeners?.size === 0) this.waiting.delete(subject)
    if (this.waiting.size > 0) return
    this.following?.ending.abort()
    this.following = null
  }

  private follow(): Following {
    const ending = new AbortController()
    const started = this.feed.start(null, ending.signal)
    const following: Following = { begun: started, ending }
    void started
      .then(async (start) => {
        if (start) await this.read(start.cursor, ending.signal)
      })
      // the next one who waits begins anew; those who wait look by themselves
      .catch(() => {
        if (this.following === following) this.following = null
      })
    return following
  }

  private async read(cursor: Parameters<EventFeed['follow']>[0], signal: AbortSignal): Promise<void> {
    for await (const { events } of this.feed.follow(cursor, { types: telling }, signal)) {
      for (const { subject } of events) this.wake(subject)
    }
  }

  private wake(subject: string): void {
    for (const wake of this.waiting.get(subject) ?? []) wake()
  }
}
