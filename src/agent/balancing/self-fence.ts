import { uptime } from 'node:os'
import type { CurrentSession } from '../session.js'
import type { Mark } from './state.js'

export interface SelfFenceOptions {
  readonly current: CurrentSession
  readonly bootId: string
  readonly selfFenceMs: () => number
  /** What the last run of this agent has left. */
  readonly mark: Mark | null
  /** There is something to take down: without it nothing ticks. */
  readonly hasVips: () => boolean
  /** This host has been alone for too long, as of now. */
  readonly onAlone: () => void
  /** It is in a session, and known to be so far. */
  readonly onHeard: (nowMs: number) => void
  /** Milliseconds of a clock that runs from boot on, also while a machine sleeps, and that nobody sets. */
  readonly now?: () => number
}

const TICKS = 8
const LONGEST_TICK_MS = 1000

/** Milliseconds since the boot, sleep among them: the same clock for every run of the agent. */
export const sinceBootMs = (): number => uptime() * 1000

/**
 * Whether this host may have VIPs of networks. The plane moves the balancers of a host that it does not hear of, and an
 * address must never be up at two places: a host that has had no session for `balancing.selfFenceMs` takes its own down,
 * well before that.
 *
 * It counts from the last moment that it knows of, over restarts of the agent too. After a boot, or when the agent was
 * stopped or away for longer than that, it starts alone: nothing that is up by then is known to be still its own. What was
 * taken down comes back when the plane says it again, balancer by balancer: the inventory shows each as not confirmed.
 */
export class SelfFence {
  private heardMs: number
  private tickedMs: number
  private open: boolean
  private timer: NodeJS.Timeout | null = null
  private readonly now: () => number
  private readonly stopListening: () => void

  constructor(private readonly options: SelfFenceOptions) {
    const { mark, hasVips, bootId, selfFenceMs, current } = options
    this.now = options.now ?? sinceBootMs
    this.tickedMs = this.now()
    const isOfThisBoot = mark !== null && mark.bootId === bootId
    this.heardMs = isOfThisBoot ? Math.min(mark.heardMs, this.tickedMs) : this.tickedMs
    this.open = !hasVips() || (isOfThisBoot && this.tickedMs - mark.heardMs < selfFenceMs())
    this.stopListening = current.onChange((session) => {
      if (this.timer === null) this.tickedMs = this.now()
      if (session !== null || this.timer === null) this.hear(this.now())
      if (session === null) this.tick()
    })
  }

  get mayHaveVips(): boolean {
    const { current, selfFenceMs } = this.options
    return this.open && (current.session !== null || this.now() - this.heardMs < selfFenceMs())
  }

  start(): void {
    this.tick()
  }

  /** There is a VIP now, where there may have been none. */
  watch(): void {
    if (this.timer !== null) return
    this.tickedMs = this.now()
    this.tick()
  }

  stop(): void {
    this.stopListening()
    if (this.timer !== null) clearTimeout(this.timer)
  }

  private tick(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    if (!this.options.hasVips()) return
    const now = this.now()
    const limitMs = this.options.selfFenceMs()
    // a process that was stopped finds its session as it was, and the world elsewhere
    const wasAway = now - this.tickedMs >= limitMs
    this.tickedMs = now
    if (this.options.current.session !== null && !wasAway) this.hear(now)
    else if (this.open && now - this.heardMs >= limitMs) {
      this.open = false
      this.options.onAlone()
    }
    this.timer = setTimeout(() => this.tick(), Math.min(LONGEST_TICK_MS, limitMs / TICKS)).unref()
  }

  private hear(now: number): void {
    this.heardMs = now
    this.open = true
    this.options.onHeard(now)
  }
}
