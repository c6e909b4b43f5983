import { act, everyMsOf, type LifeRule, stepOfRule } from './actions.js'
import type { HostFaults } from './host-faults.js'
import { hostMatcher } from './host-selector.js'
import { seededRandom } from './random.js'
import type { Scenario, Step } from './scenario.js'
import type { SimulatedHost } from './simulated-host.js'
import type { Statistics } from './statistics.js'

export interface PlayedHost {
  readonly host: SimulatedHost
  readonly faults: HostFaults
}

export interface TimetableOptions {
  readonly scenario: Scenario
  readonly seed: number
  readonly played: readonly PlayedHost[]
  readonly statistics: Statistics
  /** Milliseconds since the start of the simulation. */
  readonly elapsedMs: () => number
}

const MAX_WAIT_MS = 86_400_000

/** Lets the scenario's steps happen at their time, and its faults of a host's life by chance: one timer for each rule. */
export class Timetable {
  private readonly timers = new Set<NodeJS.Timeout>()

  constructor(private readonly options: TimetableOptions) {}

  start(): void {
    this.playFrom(0)
    for (const [index, rule] of this.options.scenario.rules.entries()) {
      const everyMs = everyMsOf(rule)
      // only faults of a host's life have that parameter
      if (everyMs !== null) this.playRule(rule as LifeRule, everyMs, index)
    }
  }

  stop(): void {
    for (const timer of this.timers) clearTimeout(timer)
    this.timers.clear()
  }

  private playFrom(index: number): void {
    const { scenario, seed, elapsedMs } = this.options
    const step = scenario.steps[index]
    if (step === undefined) return
    this.later(step.at - elapsedMs(), () => {
      const matches = hostMatcher(step.hosts, seed, `steps/${index}`)
      for (const played of this.options.played) if (matches(played.host.name)) this.play(played, step)
      this.playFrom(index + 1)
    })
  }

  /** Strikes of many hosts add up to one stream of strikes, each at a host picked by chance. */
  private playRule(rule: LifeRule, everyMs: number, index: number): void {
    const { seed, elapsedMs } = this.options
    const matches = hostMatcher(rule.hosts, seed, `rules/${index}`)
    const hosts = this.options.played.filter(({ host }) => matches(host.name))
    if (hosts.length === 0) return
    const random = seededRandom(seed, `timetable/${index}`)
    const strike = () => {
      const now = elapsedMs()
      if (rule.untilMs !== null && now >= rule.untilMs) return
      const struck = hosts[Math.floor(random() * hosts.length)]!
      if (random() < rule.probability && struck.faults.spend(rule)) this.play(struck, stepOfRule(rule, now))
      wait(0)
    }
    const wait = (fromMs: number) => {
      this.later(Math.max(0, fromMs - elapsedMs()) - Math.log(1 - random()) * (everyMs / hosts.length), strike)
    }
    wait(rule.fromMs)
  }

  private play({ host, faults }: PlayedHost, step: Step): void {
    // an outage counts itself
    if ('params' in step && step.do !== 'down') this.options.statistics.injected(step.do)
    act(host, step, faults)
  }

  private later(inMs: number, work: () => void): void {
    const timer = setTimeout(
      () => {
        this.timers.delete(timer)
        work()
      },
      Math.min(MAX_WAIT_MS, Math.max(0, inMs)),
    )
    this.timers.add(timer)
  }
}
