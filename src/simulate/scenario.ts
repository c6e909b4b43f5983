import { readFile } from 'node:fs/promises'
import { type CommandKind, commandKinds, isCommandKind } from '../wire/commands.js'
import { type FaultName, type FaultParameters, faultNames, faultParameters, isFaultName } from './fault-parameters.js'
import { type HostSelector, isHostSelector } from './host-selector.js'
import { ScenarioError } from './scenario-error.js'

/** A fault that happens by chance. */
export type Rule = { [F in FaultName]: RuleOf<F> }[FaultName]

export interface RuleOf<F extends FaultName> {
  readonly hosts: HostSelector
  readonly fault: F
  readonly params: FaultParameters[F]
  /** Of commands, where the fault is one of commands; null: all. */
  readonly kinds: readonly CommandKind[] | null
  readonly probability: number
  /** Milliseconds since the start of the simulation. */
  readonly fromMs: number
  readonly untilMs: number | null
  /** How often it strikes at each host at most; null: no end. */
  readonly times: number | null
}

/** What a step can do besides the faults: end them, or prepare one. `leave` is an orderly farewell. */
export const plainActions = ['return', 'thaw', 'up', 'snapshot', 'leave'] as const
export type PlainAction = (typeof plainActions)[number]

/** Faults that a step can bring about; the others concern commands, and are for rules. */
export const stepFaults = ['vanish', 'crash', 'freeze', 'lose-state', 'restore', 'extra', 'down'] as const
export type StepFault = (typeof stepFaults)[number]

/** Something that happens at a given time. */
export type Step = {
  readonly hosts: HostSelector
  /** Milliseconds since the start of the simulation. */
  readonly at: number
} & (
  | { [F in StepFault]: { readonly do: F; readonly params: FaultParameters[F] } }[StepFault]
  | { readonly do: PlainAction }
)

export interface Scenario {
  readonly seed: number | null
  readonly rules: readonly Rule[]
  readonly steps: readonly Step[]
}

export const quietScenario: Scenario = { seed: null, rules: [], steps: [] }

/** @throws ScenarioError */
export async function readScenario(path: string): Promise<Scenario> {
  let value: unknown
  try {
    value = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw new ScenarioError(`the scenario ${path} cannot be read: ${(error as Error).message}`, { cause: error })
  }
  return parseScenario(value, path)
}

/** @throws ScenarioError naming everything that is wrong at once */
export function parseScenario(value: unknown, name = 'the scenario'): Scenario {
  const faults: string[] = []
  const reader = new Reader(faults)
  const fields = reader.object(value, name, ['seed', 'rules', 'steps'])
  const scenario: Scenario = {
    seed: reader.field(fields, name, 'seed', 'a whole number', isSeed, null),
    rules: reader.list(fields.rules, 'rules').map((rule, index) => ruleOf(reader, rule, `rules[${index}]`)),
    steps: reader.list(fields.steps, 'steps').map((step, index) => stepOf(reader, step, `steps[${index}]`)),
  }
  if (faults.length > 0) throw new ScenarioError([`${name} cannot be played:`, ...faults].join('\n  '))
  return { ...scenario, steps: scenario.steps.toSorted((a, b) => a.at - b.at) }
}

const SELECTOR = 'a pattern of names, or a share from 0 to 1'
const MILLIS = 'milliseconds'

function ruleOf(reader: Reader, value: unknown, at: string): Rule {
  const known = ['hosts', 'fault', 'params', 'kinds', 'probability', 'fromMs', 'untilMs', 'times']
  const fields = reader.object(value, at, known)
  const fault = reader.field(fields, at, 'fault', `one of ${faultNames.join(', ')}`, isFaultName)
  // the parameters were read by the table of this very fault
  return {
    hosts: reader.field(fields, at, 'hosts', SELECTOR, isHostSelector, '*'),
    fault,
    params: isFaultName(fault) ? paramsOf(reader, fault, fields.params, `${at}.params`) : {},
    kinds: reader.field(fields, at, 'kinds', `a list of ${Object.keys(commandKinds).join(', ')}`, areKinds, null),
    probability: reader.field(fields, at, 'probability', 'a number from 0 to 1', isShare, 1),
    fromMs: reader.field(fields, at, 'fromMs', MILLIS, isMillis, 0),
    untilMs: reader.field(fields, at, 'untilMs', MILLIS, isMillis, null),
    times: reader.field(fields, at, 'times', 'a whole number from 1 on', isCount, null),
  } as Rule
}

function stepOf(reader: Reader, value: unknown, at: string): Step {
  const fields = reader.object(value, at, ['hosts', 'at', 'do', 'params'])
  const names = [...stepFaults, ...plainActions]
  const action = reader.field(fields, at, 'do', `one of ${names.join(', ')}`, isAction)
  if (!isFaultName(action) && fields.params !== undefined) reader.fault(`${at}.params: ${String(action)} takes none`)
  // as in ruleOf
  return {
    hosts: reader.field(fields, at, 'hosts', SELECTOR, isHostSelector, '*'),
    at: reader.field(fields, at, 'at', MILLIS, isMillis),
    do: action,
    ...(isFaultName(action) && { params: paramsOf(reader, action, fields.params, `${at}.params`) }),
  } as Step
}

function paramsOf(reader: Reader, fault: FaultName, value: unknown, at: string): object {
  const known = Object.entries(faultParameters[fault])
  const fields = reader.object(
    value ?? {},
    at,
    known.map(([name]) => name),
  )
  return Object.fromEntries(
    known.map(([name, { expects, fits, fallback }]) => [
      name,
      reader.field(fields, at, name, expects, fits as (value: unknown) => value is unknown, fallback),
    ]),
  )
}

const isShare = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 1
const isMillis = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0
const isCount = (value: unknown): value is number => isMillis(value) && value >= 1
const isSeed = (value: unknown): value is number => isMillis(value) && value <= 4_294_967_295
const areKinds = (value: unknown): value is CommandKind[] =>
  Array.isArray(value) && value.length > 0 && value.every((kind) => typeof kind === 'string' && isCommandKind(kind))
const isAction = (value: unknown): value is StepFault | PlainAction =>
  stepFaults.includes(value as StepFault) || plainActions.includes(value as PlainAction)

/** Reads on after a fault, so that all of them are told at once. */
class Reader {
  constructor(private readonly faults: string[]) {}

  fault(text: string): void {
    this.faults.push(text)
  }

  object(value: unknown, at: string, known: readonly string[]): Readonly<Record<string, unknown>> {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      this.fault(`${at} must be an object`)
      return {}
    }
    for (const name of Object.keys(value).filter((key) => !known.includes(key))) {
      this.fault(`${at}: ${name} is not known; known are ${known.join(', ') || 'none'}`)
    }
    return value as Readonly<Record<string, unknown>>
  }

  list(value: unknown, at: string): readonly unknown[] {
    if (value === undefined) return []
    if (Array.isArray(value)) return value
    this.fault(`${at} must be a list`)
    return []
  }

  /** Without a fallback the field must be given. */
  field<T, D>(
    fields: Readonly<Record<string, unknown>>,
    at: string,
    name: string,
    expects: string,
    fits: (value: unknown) => value is T,
    fallback?: D,
  ): T | D {
    const value = fields[name]
    if (value === undefined && fallback !== undefined) return fallback
    if (fits(value)) return value
    this.fault(`${at}.${name} must be ${expects}${value === undefined ? '' : `, not ${JSON.stringify(value)}`}`)
    // never used: a scenario with faults is not played
    return fallback as D
  }
}
