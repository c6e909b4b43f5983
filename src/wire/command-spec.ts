/**
 * `level` says a state and is safe to repeat; `once` acts, and needs a start permit. A null deadline marks intent that
 * the host must hold as soon as it can, however late it is back.
 */
export type CommandMode = 'level' | 'once'

export interface CommandSpec<P extends object, R extends object> {
  readonly mode: CommandMode
  readonly payload: new () => P
  readonly result: new () => R
  /** Milliseconds from the request to EXPIRED; null: intent without a deadline. */
  readonly deadlineMs: number | null
  /** The noun of the subjects that it speaks about. */
  readonly noun: string
}

export const commandSpec = <P extends object, R extends object>(spec: CommandSpec<P, R>) => spec
