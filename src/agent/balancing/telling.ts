import { isDeepStrictEqual } from 'node:util'
import type { Observation } from '../../wire/session.js'
import { observationOf, type Seen } from './held.js'

export interface TellingOptions {
  readonly onObservation: (observation: Observation) => void
  /** Statistics that have changed are told no more often than that. */
  readonly statisticsEveryMs: number
  /** Monotonic milliseconds. */
  readonly now: () => number
}

/** What the plane hears of a balancer: each change of a status at once, the rest in its time, and nothing twice. */
export class Telling {
  private told: Seen | null = null
  private generation = 0
  private atMs = 0

  constructor(
    private readonly id: string,
    private readonly options: TellingOptions,
  ) {}

  tell(generation: number, seen: Seen): void {
    const { now, statisticsEveryMs, onObservation } = this.options
    const { told } = this
    const isNews = told === null || generation !== this.generation || !isDeepStrictEqual(said(told), said(seen))
    const hasCounted = !isDeepStrictEqual(told?.detail.statistics, seen.detail.statistics)
    if (!isNews && !(hasCounted && now() - this.atMs >= statisticsEveryMs)) return
    this.told = seen
    this.generation = generation
    this.atMs = now()
    onObservation(observationOf(this.id, generation, seen))
  }
}

const said = ({ status, fault, detail }: Seen) => [status, fault, detail.statuses]
