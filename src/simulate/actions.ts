import type { HostFaults } from './host-faults.js'
import type { Rule, RuleOf, Step } from './scenario.js'
import type { SimulatedHost } from './simulated-host.js'

/** What a step does to one host. An action without an entry does not compile. */
type Actions = {
  readonly [A in Step['do']]: (host: SimulatedHost, step: Extract<Step, { do: A }>, faults: HostFaults) => unknown
}

const actions: Actions = {
  vanish: (host, { params }) => host.vanish(params.forMs),
  return: (host) => host.return(),
  freeze: (host, { params }) => host.freeze(params.forMs),
  thaw: (host) => host.thaw(),
  crash: (host, { params }) => host.crash(params.forMs, params),
  'lose-state': (host, { params }) => host.loseState(params.forMs, params.loses),
  snapshot: (host) => host.snapshot(),
  restore: (host, { params }) => host.restore(params.forMs),
  extra: (host, { params }) => host.showUnknown(params),
  down: (_, { params }, faults) => faults.begin(params),
  up: (_, __, faults) => faults.endOutages(),
  leave: (host) => host.stop('leaving'),
}

export function act(host: SimulatedHost, step: Step, faults: HostFaults): void {
  // the table pairs each action with its own steps; TypeScript cannot follow that through a union
  const action = actions[step.do] as (host: SimulatedHost, step: Step, faults: HostFaults) => unknown
  action(host, step, faults)
}

/** The faults of a host's life, which a rule may let happen by the clock. */
export type LifeFault = 'vanish' | 'crash' | 'freeze' | 'lose-state' | 'restore'
export type LifeRule = { [F in LifeFault]: RuleOf<F> }[LifeFault]

/** @returns the mean time between two strikes at one host; null for a rule that is not about the clock. */
export function everyMsOf(rule: Rule): number | null {
  return 'everyMs' in rule.params ? rule.params.everyMs : null
}

export function stepOfRule({ fault, params, hosts }: LifeRule, at: number): Step {
  // a life fault's parameters are those of the step of the same name
  return { hosts, at, do: fault, params } as Step
}
