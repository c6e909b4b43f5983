import type { FaultName, FaultParameters } from './fault-parameters.js'
import { hostMatcher, textMatcher } from './host-selector.js'
import { type Random, seededRandom } from './random.js'
import type { Rule, RuleOf, Scenario } from './scenario.js'
import type { Statistics } from './statistics.js'
import type { Outage } from './storage-drivers.js'

export interface HostFaultsOptions {
  readonly scenario: Scenario
  readonly seed: number
  readonly hostName: string
  readonly statistics: Statistics
  /** Milliseconds since the start of the simulation. */
  readonly elapsedMs: () => number
}

interface StandingOutage extends Outage {
  readonly matches: (target: string) => boolean
  readonly end: () => void
}

/** The rules that concern one host, and the dice that decide when they strike. */
export class HostFaults {
  private readonly rules: readonly Rule[]
  private readonly outages: StandingOutage[] = []
  /** How often each rule has struck. */
  private readonly struck = new Map<Rule, number>()

  constructor(
    private readonly options: HostFaultsOptions,
    readonly random: Random = seededRandom(options.seed, options.hostName),
  ) {
    const { scenario, seed, hostName } = options
    this.rules = scenario.rules.filter(({ hosts }, index) => hostMatcher(hosts, seed, `rules/${index}`)(hostName))
    for (const rule of this.rules) if (isOutage(rule) && this.happens(rule)) this.begin(rule.params)
  }

  /** Throws the dice. @returns what the fault was told when it strikes now, else null. */
  strike<F extends FaultName>(
    fault: F,
    kind?: string,
    where: (params: FaultParameters[F]) => boolean = () => true,
  ): FaultParameters[F] | null {
    for (const rule of this.rules) {
      if (!this.fits(rule, fault, kind)) continue
      // it fits by its fault
      const { params } = rule as unknown as RuleOf<F>
      if (!where(params) || !this.happens(rule)) continue
      this.options.statistics.injected(fault)
      return params
    }
    return null
  }

  /** Storage is of no use from now on, until its time is over or `endOutages`. */
  begin({ status, message, targets, forMs }: FaultParameters['down']): void {
    this.options.statistics.injected('down')
    let end: () => void = () => undefined
    const over = new Promise<void>((resolve) => {
      end = resolve
    })
    const outage: StandingOutage = { status, message, matches: textMatcher(targets), over, end }
    this.outages.push(outage)
    if (forMs !== null) setTimeout(() => this.endOutage(outage), forMs).unref()
  }

  endOutages(): void {
    for (const outage of [...this.outages]) this.endOutage(outage)
  }

  outageOf(target: string): Outage | null {
    return this.outages.find(({ matches }) => matches(target)) ?? null
  }

  private endOutage(outage: StandingOutage): void {
    const index = this.outages.indexOf(outage)
    if (index >= 0) this.outages.splice(index, 1)
    outage.end()
  }

  private fits({ fault, kinds, fromMs, untilMs, params }: Rule, wanted: FaultName, kind?: string): boolean {
    if (fault !== wanted) return false
    if (kinds !== null && !kinds.some((known) => known === kind)) return false
    // those happen by the clock
    if ('everyMs' in params && params.everyMs !== null) return false
    const now = this.options.elapsedMs()
    return now >= fromMs && (untilMs === null || now < untilMs)
  }

  /** Counts a strike of the rule. @returns whether it still may, by its `times`. */
  spend(rule: Rule): boolean {
    if (rule.times === null) return true
    const struck = (this.struck.get(rule) ?? 0) + 1
    if (struck > rule.times) return false
    this.struck.set(rule, struck)
    return true
  }

  private happens(rule: Rule): boolean {
    return (rule.probability >= 1 || this.random() < rule.probability) && this.spend(rule)
  }
}

const isOutage = (rule: Rule): rule is RuleOf<'down'> => rule.fault === 'down'
