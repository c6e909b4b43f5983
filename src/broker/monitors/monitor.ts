import type { Run } from '../../agent/host/run.js'
import type { WhiteboardHealth } from '../whiteboard/whiteboard.js'

export interface MonitorTools {
  readonly run: Run
  readonly libvirtUri: string
  /** Looks at the whiteboard. @returns how that went */
  readonly readWhiteboard: () => Promise<WhiteboardHealth>
}

export type Options = Readonly<Record<string, string>>

/** An option of a monitor: whether it must be given, and what it may be; undefined where anything may. */
export interface OptionRule {
  readonly isRequired?: boolean
  readonly pattern?: RegExp
}

/**
 * A kind of monitor: one entry of the table. `start` may keep what it needs between two looks; a look answers the value as
 * text, and throws where there is none: what is unknown is never good.
 */
export interface MonitorType {
  readonly options: Readonly<Record<string, OptionRule>>
  readonly start: (options: Options, tools: MonitorTools) => (signal: AbortSignal) => Promise<string>
}

/** As Python writes it, which is what callers of the original read. */
export const truth = (value: boolean): string => (value ? 'True' : 'False')

/** "1.0" where Python's str() of a float has a point and JavaScript's has not. */
export const float = (value: number): string => (Number.isInteger(value) ? value.toFixed(1) : String(value))
