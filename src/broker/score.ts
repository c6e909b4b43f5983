/** How much each lack costs; defaults are those of oVirt's HA agent (facts of its broker). */
export interface ScoreWeights {
  readonly base: number
  readonly network: number
  readonly configuration: number
  readonly bridge: number
  readonly memory: number
  readonly cpu: number
  /** Load average where the penalty begins, and where it is whole. */
  readonly cpuFrom: number
  readonly cpuTo: number
  readonly failedStart: number
  /** More failed starts than these make the score 0 for a time. */
  readonly failedStartsBorne: number
  readonly failedStartsMs: number
}

export const defaultWeights: ScoreWeights = {
  base: 3400,
  network: 1600,
  configuration: 1000,
  bridge: 600,
  memory: 400,
  cpu: 1000,
  cpuFrom: 0.4,
  cpuTo: 0.9,
  failedStart: 50,
  failedStartsBorne: 3,
  failedStartsMs: 600_000,
}

/** What is null is unknown, and counts as the worst: unknown is never good. */
export interface ScoreFacts {
  /** Fraction of tries that the network carried, 0 to 1. */
  readonly network: number | null
  readonly isConfigurationCurrent: boolean | null
  readonly isBridgeUp: boolean | null
  readonly hasMemoryForEngine: boolean | null
  readonly runsEngine: boolean
  /** Over the last 15 minutes, 0 to 1. */
  readonly load: number | null
  readonly failedStarts: number
  /** Since the last one; null where there was none. */
  readonly sinceFailedStartMs: number | null
  readonly isInMaintenance: boolean
  readonly isStopped: boolean
}

export interface Penalty {
  readonly of: 'network' | 'configuration' | 'bridge' | 'memory' | 'cpu' | 'failed-starts' | 'maintenance' | 'stopped'
  readonly points: number
  readonly reason: string
}

export interface Score {
  /** A whole number, never below 0. */
  readonly score: number
  readonly penalties: readonly Penalty[]
}

/** The score of a host, and what each point that it lacks is for. */
export function scoreOf(facts: ScoreFacts, weights: ScoreWeights = defaultWeights): Score {
  const penalties = [...whole(facts, weights), ...partial(facts, weights)].filter(({ points }) => points > 0)
  const points = penalties.reduce((sum, penalty) => sum + penalty.points, 0)
  return { score: Math.max(0, Math.round(weights.base - points)), penalties }
}

/** What takes all points. */
function whole(facts: ScoreFacts, { base, failedStartsBorne, failedStartsMs }: ScoreWeights): Penalty[] {
  const { isInMaintenance, isStopped, failedStarts, sinceFailedStartMs: since } = facts
  const tooMany = failedStarts > failedStartsBorne && since !== null && since < failedStartsMs
  return [
    { of: 'maintenance', points: isInMaintenance ? base : 0, reason: 'the host is in local maintenance' },
    { of: 'stopped', points: isStopped ? base : 0, reason: 'the HA agent is stopped' },
    {
      of: 'failed-starts',
      points: tooMany ? base : 0,
      reason: `${failedStarts} starts of the engine failed: none is tried for ${Math.ceil((failedStartsMs - (since ?? 0)) / 1000)} s`,
    },
  ]
}

function partial(facts: ScoreFacts, weights: ScoreWeights): Penalty[] {
  const { network, isConfigurationCurrent, isBridgeUp, hasMemoryForEngine, runsEngine, load, failedStarts } = facts
  const carried = Math.min(1, Math.max(0, network ?? 0))
  const { cpuFrom, cpuTo } = weights
  const busy = load === null ? 1 : Math.min(1, Math.max(0, (load - cpuFrom) / (cpuTo - cpuFrom)))
  const few = failedStarts <= weights.failedStartsBorne
  return [
    {
      of: 'network',
      points: weights.network * (1 - carried),
      reason: network === null ? 'how the network is is unknown' : `the network carried ${carried} of what was tried`,
    },
    {
      of: 'configuration',
      points: isConfigurationCurrent ? 0 : weights.configuration,
      reason:
        isConfigurationCurrent === null
          ? 'the age of the configuration is unknown'
          : 'the configuration is out of date',
    },
    {
      of: 'bridge',
      points: isBridgeUp ? 0 : weights.bridge,
      reason: isBridgeUp === null ? 'how the management bridge is is unknown' : 'the management bridge is down',
    },
    {
      of: 'memory',
      points: hasMemoryForEngine || runsEngine ? 0 : weights.memory,
      reason: hasMemoryForEngine === null ? 'the free memory is unknown' : 'there is too little memory for the engine',
    },
    {
      of: 'cpu',
      points: weights.cpu * busy,
      reason: load === null ? 'the load is unknown' : `the load average is ${load}`,
    },
    {
      of: 'failed-starts',
      points: few ? weights.failedStart * failedStarts : 0,
      reason: `${failedStarts} starts of the engine failed`,
    },
  ]
}

/**
 * Mean of a load over time, each stretch between two points weighing as long as it is; one with an end that is missing is
 * left out. @param points time in any unit, ascending, and load
 * @returns null where there is no stretch
 */
export function meanLoad(points: readonly (readonly [time: number, load: number | null])[]): number | null {
  let area = 0
  let length = 0
  for (let i = 1; i < points.length; i++) {
    const [[from, a], [to, b]] = [points[i - 1]!, points[i]!]
    if (a === null || b === null) continue
    area += ((a + b) / 2) * (to - from)
    length += to - from
  }
  return length > 0 ? area / length : null
}
