import type { Logger } from '../../../logger.js'
import type { VipPlace } from '../../../networks/vip-place.js'
import { Checker, type Checking, type Finding } from './checker.js'
import { CheckerProcess } from './checker-process.js'
import type { Found, MemberCheck } from './checks.js'

/** What changes together is taken together, and each change costs nginx new workers. */
const GATHER_MS = 50
const SHORTEST_GAP_MS = 1000
const LONGEST_GAP_MS = 10_000
const QUIET_MS = 30_000

/**
 * Each change leaves old workers behind until their connections have ended: members that come and go all the time are taken
 * in longer and longer steps, and at once again after some quiet. A request is given to another member meanwhile.
 */
export const nextGapMs = (gapMs: number, sinceLastMs: number): number =>
  sinceLastMs > QUIET_MS ? SHORTEST_GAP_MS : Math.min(gapMs * 1.5, LONGEST_GAP_MS)

export interface MemberWatchOptions {
  /** Somebody is up, or down, who was not. */
  readonly onChanged: () => Promise<void>
  readonly directory: string
  readonly logger: Logger
  /** Of the checker's process, where tests run what is not built. */
  readonly checkerScript?: string
}

/** What is found about the members of one balancer. */
export class MemberWatch {
  private readonly findings = new Map<string, Finding>()
  private checking: Checking | null = null
  private from: string | null = null
  private timer: NodeJS.Timeout | null = null
  private toldMs = Number.NEGATIVE_INFINITY
  private gapMs = SHORTEST_GAP_MS

  constructor(private readonly options: MemberWatchOptions) {}

  /** Members that are to be used. */
  get seenWell(): ReadonlySet<string> {
    return new Set([...this.findings.values()].filter(({ found }) => found === 'well').map(({ memberId }) => memberId))
  }

  foundOf(memberId: string): Found {
    return this.findings.get(memberId)?.found ?? 'not-yet'
  }

  knownOr(memberId: string, knownOf: (memberId: string) => Found): Found {
    return this.findings.get(memberId)?.found ?? knownOf(memberId)
  }

  /** What was wrong at last with those that are down, in the order of the checks. */
  get complaints(): readonly Finding[] {
    return [...this.findings.values()].filter(({ found }) => found === 'ill')
  }

  /** @param knownOf of those that this one knows nothing of yet */
  follow(checks: readonly MemberCheck[], place: VipPlace, knownOf: (memberId: string) => Found): void {
    const ids = new Set(checks.map(({ memberId }) => memberId))
    for (const memberId of this.findings.keys()) if (!ids.has(memberId)) this.findings.delete(memberId)
    for (const memberId of ids) {
      if (!this.findings.has(memberId)) this.findings.set(memberId, { memberId, found: knownOf(memberId), words: null })
    }
    this.checkingFrom(place).set(checks.map((check) => ({ ...check, known: this.foundOf(check.memberId) })))
  }

  stop(): void {
    this.checking?.stop()
    this.checking = null
    this.from = null
    this.findings.clear()
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
  }

  private checkingFrom(place: VipPlace): Checking {
    const from = JSON.stringify(place)
    if (this.checking !== null && from === this.from) return this.checking
    this.checking?.stop()
    this.from = from
    const onFinding = (finding: Finding) => this.take(finding)
    const { directory, logger, checkerScript: script } = this.options
    this.checking =
      place.enter.length === 0
        ? new Checker(onFinding)
        : new CheckerProcess({
            enter: place.enter,
            directory,
            onFinding,
            logger,
            ...(script !== undefined && { script }),
          })
    return this.checking
  }

  private take(finding: Finding): void {
    const before = this.findings.get(finding.memberId)
    // a finding may be under way while its check is taken back
    if (before === undefined) return
    this.findings.set(finding.memberId, finding)
    if (before.found !== finding.found) this.tellSoon()
  }

  private tellSoon(): void {
    const dueMs = Math.max(GATHER_MS, this.toldMs + this.gapMs - performance.now())
    this.timer ??= setTimeout(() => {
      this.timer = null
      const nowMs = performance.now()
      this.gapMs = nextGapMs(this.gapMs, nowMs - this.toldMs)
      this.toldMs = nowMs
      this.options.onChanged().catch((error: unknown) => {
        this.options.logger.warn({ err: error }, 'what was found about members could not be put in force')
      })
    }, dueMs).unref()
  }
}
