import type { Found, MemberCheck } from './checks.js'
import { probe } from './probe.js'

/** What was found about a member, and of which check. */
export interface Finding {
  readonly memberId: string
  readonly found: Found
  /** What was wrong with it at last; null: nothing. */
  readonly words: string | null
}

/** A check, and what was known about its member before the first time. */
export interface StartedCheck extends MemberCheck {
  readonly known: Found
}

/** Checks members at their intervals, and tells what has changed. */
export interface Checking {
  /** These from now on, and no others. One that is as before goes on undisturbed. */
  set(checks: readonly StartedCheck[]): void
  stop(): void
}

/** Of one balancer: more would be a burst that costs connections. */
const MAX_AT_ONCE = 200
/** A part of the delay, so that what began together does not stay together. */
const SPREAD = 0.1

/** Checks from this process, and thus from its network namespace. */
export class Checker implements Checking {
  private readonly members = new Map<string, CheckedMember>()
  private readonly waiting: (() => void)[] = []
  private busy = 0

  constructor(private readonly onFinding: (finding: Finding) => void) {}

  set(checks: readonly StartedCheck[]): void {
    const wanted = new Map(checks.map((check) => [check.memberId, check]))
    for (const [memberId, member] of this.members) {
      const check = wanted.get(memberId)
      if (check !== undefined && member.isOf(check)) continue
      member.stop()
      this.members.delete(memberId)
    }
    for (const check of checks) {
      if (this.members.has(check.memberId)) continue
      const member = new CheckedMember(check, (each) => this.inTurn(each), this.onFinding)
      this.members.set(check.memberId, member)
      void member.run()
    }
  }

  stop(): void {
    this.set([])
  }

  private async inTurn(check: MemberCheck): Promise<string | null> {
    if (this.busy >= MAX_AT_ONCE) await new Promise<void>((resolve) => this.waiting.push(resolve))
    this.busy += 1
    try {
      return await probe(check)
    } finally {
      this.busy -= 1
      this.waiting.shift()?.()
    }
  }
}

class CheckedMember {
  private found: Found
  private words: string | null = null
  /** Of those that speak against what was found. */
  private inARow = 0
  private stopped = false
  private timer: NodeJS.Timeout | null = null

  constructor(
    private readonly check: StartedCheck,
    private readonly probeInTurn: (check: MemberCheck) => Promise<string | null>,
    private readonly onFinding: (finding: Finding) => void,
  ) {
    this.found = check.known
  }

  /** What was known at the start is no part of how it is checked. */
  isOf(check: StartedCheck): boolean {
    return JSON.stringify({ ...check, known: null }) === JSON.stringify({ ...this.check, known: null })
  }

  async run(): Promise<void> {
    const startedMs = performance.now()
    const words = await this.probeInTurn(this.check)
    if (this.stopped) return
    this.take(words)
    const everyMs = this.check.delayMs * (1 - SPREAD * Math.random())
    const waitMs = Math.max(0, everyMs - (performance.now() - startedMs))
    this.timer = setTimeout(() => void this.run(), waitMs).unref()
  }

  stop(): void {
    this.stopped = true
    if (this.timer !== null) clearTimeout(this.timer)
  }

  private take(words: string | null): void {
    const before = JSON.stringify([this.found, this.words])
    this.words = words
    this.found = this.next(words === null ? 'well' : 'ill')
    if (JSON.stringify([this.found, this.words]) === before) return
    this.onFinding({ memberId: this.check.memberId, found: this.found, words })
  }

  private next(seen: 'well' | 'ill'): Found {
    if (seen === this.found) {
      this.inARow = 0
      return seen
    }
    this.inARow += 1
    const needed = this.found === 'not-yet' ? 1 : seen === 'well' ? this.check.rise : this.check.fall
    if (this.inARow < needed) return this.found
    this.inARow = 0
    return seen
  }
}
