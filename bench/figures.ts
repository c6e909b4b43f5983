/** What issue or README promise of a figure: of its value, or of its ratio to a limit measured in the same run. */
export interface Bound {
  readonly of: 'value' | 'ratio'
  readonly atLeast?: number
  readonly atMost?: number
}

/** One measured number. Nothing here fails because of time: a bound that is missed is shown as missed. */
export interface Figure {
  readonly bench: string
  readonly name: string
  readonly value: number
  readonly unit: string
  /** Smallest and largest of the rounds whose median `value` is. */
  readonly spread?: readonly [number, number]
  /** What the machine can do at best, measured in turns with the figure. */
  readonly limit?: { readonly value: number; readonly what: string }
  readonly ratio?: number
  readonly bound?: Bound
  /** What a reader has to know to judge it. */
  readonly note?: string
}

export interface BenchSetting {
  /** Short counts: shows that every bench runs, its figures mean nothing. */
  readonly smoke: boolean
  /** A server on which a bench makes databases of its own. */
  readonly postgresUrl: string
  /** Undoes what the bench has set up, last things first, once it has ended in whatever way. */
  readonly afterwards: (step: () => Promise<unknown>) => void
}

export interface Bench {
  readonly name: string
  readonly meaning: string
  run(setting: BenchSetting): Promise<Figure[]>
}

/** Null where nothing was promised. */
export function isMet({ bound, value, ratio }: Figure): boolean | null {
  if (!bound) return null
  const judged = bound.of === 'ratio' ? ratio : value
  if (judged === undefined) return null
  return judged >= (bound.atLeast ?? Number.NEGATIVE_INFINITY) && judged <= (bound.atMost ?? Number.POSITIVE_INFINITY)
}
