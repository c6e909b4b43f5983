import type { RunnerStep } from '../agent/runner.js'
import { PROTOCOL } from '../wire/session.js'

/** What can go wrong with a simulated host, and what each fault can be told. */
export interface FaultParameters {
  /** A handler takes its time. `deaf`: also when the command's time has passed. */
  readonly slow: { readonly delayMs: number; readonly spreadMs: number; readonly deaf: boolean }
  /** A command fails with this fault, and nothing happens. */
  readonly refuse: { readonly type: string; readonly message: string; readonly number: number | null }
  /** The network is cut: the connection goes without goodbye, the agent goes on, and dials again after `forMs`. */
  readonly vanish: Absence
  /** The agent's process is killed and starts again on what it has on disk. `reboot`: the whole host. */
  readonly crash: Absence & { readonly step: RunnerStep | null; readonly reboot: boolean }
  /** The agent's process is stopped, as by SIGSTOP: it neither reads nor beats, and closes nothing. */
  readonly freeze: Absence
  /** Reports are sent twice, and once more on the next session. */
  readonly repeat: Record<never, never>
  /** Reports arrive in another order than that of the commands' ends. */
  readonly reorder: Record<never, never>
  /** The hello of an agent that is older, or has fewer tools; null: as it is. */
  readonly 'old-protocol': {
    readonly protocol: number
    readonly kinds: readonly string[] | null
    readonly capabilities: readonly string[] | null
  }
  /** The host comes back without what it knew. */
  readonly 'lose-state': Absence & { readonly loses: readonly Loss[] }
  /** The host comes back as it was when the last `snapshot` was taken, or at its start. */
  readonly restore: Absence
  /** The host holds storage connections that the plane knows nothing of. */
  readonly extra: { readonly connections: number; readonly prefix: string; readonly origin: 'plane' | 'host' }
  /** Storage whose target matches is of no use; seen at the next probe. */
  readonly down: {
    readonly status: 'DOWN' | 'DEGRADED' | 'STUCK'
    readonly targets: string
    readonly message: string
    readonly forMs: number | null
  }
  /**
   * A device of load balancers lets the agent down: it `fails`; `hangs` and does nothing; is `late`, and does it all the
   * same; or does it and `loses-answer`.
   */
  readonly device: {
    readonly how: 'fails' | 'hangs' | 'late' | 'loses-answer'
    readonly message: string
    /** Of a `late` one. */
    readonly delayMs: number
  }
  /** A guest does not do as its host is told, at the layer that it names; `dies`: it ends by itself after `delayMs`. */
  readonly guest: {
    readonly how: SimulatedGuestTrouble
    readonly message: string
    readonly delayMs: number
  }
}

export const simulatedGuestTroubles = [
  'image-bad',
  'volume-failed',
  'seed-failed',
  'vm-not-started',
  'kernel-panic',
  'port-never-opened',
  'agent-silent',
  'agent-too-old',
  'prepare-failed',
  'slow-boot',
  'dies',
] as const
export type SimulatedGuestTrouble = (typeof simulatedGuestTroubles)[number]

interface Absence {
  /** Null: until a step brings it back. */
  readonly forMs: number | null
  /** In a rule: happens to each host once in so long on the average; null: when a command comes. */
  readonly everyMs: number | null
}

export const losses = ['journal', 'storage', 'balancing', 'guests', 'identity'] as const
export type Loss = (typeof losses)[number]

export type FaultName = keyof FaultParameters

interface Parameter<T> {
  readonly expects: string
  readonly fits: (value: unknown) => boolean
  /** Undefined: it must be given. */
  readonly fallback?: T
}

type Parameters = {
  readonly [F in FaultName]: { readonly [P in keyof FaultParameters[F]]: Parameter<FaultParameters[F][P]> }
}

const whole = (from: number, to: number) => (value: unknown) =>
  Number.isSafeInteger(value) && (value as number) >= from && (value as number) <= to
const orNull = (fits: (value: unknown) => boolean) => (value: unknown) => value === null || fits(value)
const oneOf = (choices: readonly unknown[]) => (value: unknown) => choices.includes(value)
const listOf = (fits: (value: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(fits)
const text = (value: unknown) => typeof value === 'string' && value !== ''

const DAY_MS = 86_400_000
const millis = { expects: 'milliseconds', fits: whole(0, DAY_MS) }
const flag = { expects: 'true or false', fits: (value: unknown) => typeof value === 'boolean', fallback: false }
const words = (fallback: string) => ({ expects: 'text', fits: text, fallback })
const names = { expects: 'a list of names, or null', fits: orNull(listOf(text)), fallback: null }
const until = { expects: 'milliseconds, or null', fits: orNull(millis.fits) }
const steps: readonly RunnerStep[] = ['received', 'permitted', 'started', 'acted', 'done', 'reported']
const absence = (forMs: number) => ({
  forMs: { ...until, fallback: forMs },
  everyMs: { expects: 'milliseconds from 1 on, or null', fits: orNull(whole(1, DAY_MS)), fallback: null },
})

/** A parameter that is missing here does not compile. */
export const faultParameters: Parameters = {
  slow: { delayMs: millis, spreadMs: { ...millis, fallback: 0 }, deaf: flag },
  refuse: {
    type: {
      expects: 'a fault type such as mount',
      fits: (value) => typeof value === 'string' && /^[a-z][a-z0-9.-]{1,63}$/.test(value),
      fallback: 'refused',
    },
    message: words('refused by the scenario'),
    number: { expects: 'a whole number, or null', fits: orNull(whole(0, 65_535)), fallback: null },
  },
  vanish: absence(5000),
  crash: {
    ...absence(1000),
    step: { expects: `one of ${steps.join(', ')}, or null`, fits: orNull(oneOf(steps)), fallback: null },
    reboot: flag,
  },
  freeze: absence(5000),
  repeat: {},
  reorder: {},
  'old-protocol': {
    protocol: { expects: 'a protocol number', fits: whole(0, 1000), fallback: PROTOCOL.current },
    kinds: names,
    capabilities: names,
  },
  'lose-state': {
    ...absence(1000),
    loses: { expects: `a list of ${losses.join(', ')}`, fits: listOf(oneOf(losses)), fallback: ['journal'] },
  },
  restore: absence(1000),
  extra: {
    connections: { expects: 'a whole number from 1 on', fits: whole(1, 10_000), fallback: 1 },
    prefix: words('extra-'),
    origin: { expects: 'plane or host', fits: oneOf(['plane', 'host']), fallback: 'plane' },
  },
  down: {
    status: {
      expects: 'DOWN, DEGRADED or STUCK',
      fits: oneOf(['DOWN', 'DEGRADED', 'STUCK']),
      fallback: 'DOWN',
    },
    targets: words('*'),
    message: words('out of order by the scenario'),
    forMs: { ...until, fallback: null },
  },
  device: {
    how: {
      expects: 'fails, hangs, late or loses-answer',
      fits: oneOf(['fails', 'hangs', 'late', 'loses-answer']),
    },
    message: words('out of order by the scenario'),
    delayMs: { ...millis, fallback: 1000 },
  },
  guest: {
    how: { expects: `one of ${simulatedGuestTroubles.join(', ')}`, fits: oneOf(simulatedGuestTroubles) },
    message: words('out of order by the scenario'),
    delayMs: { ...millis, fallback: 1000 },
  },
}

export const faultNames = Object.keys(faultParameters) as FaultName[]
export const isFaultName = (name: unknown): name is FaultName => faultNames.includes(name as FaultName)
