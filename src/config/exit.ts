/** Exit codes after sysexits.h: what a supervisor or a script may conclude. */
export const exitCodes = {
  ok: 0,
  /** The thing asked for failed. */
  failed: 1,
  usage: 64,
  /** The database or a peer does not answer. */
  unavailable: 69,
  internal: 70,
  /** The state or data directory cannot be used: locked by another process, unwritable, of another version. */
  directory: 73,
  /** An address is in use, or another passing obstacle: the same start may work later. */
  temporary: 75,
  configuration: 78,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

/** Ends a program with its code and one message for the operator, without a stack. */
export class ExitError extends Error {
  constructor(
    readonly exitCode: ExitCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
    this.name = 'ExitError'
  }
}

const bySystemCode: Readonly<Record<string, ExitCode>> = {
  EADDRINUSE: exitCodes.temporary,
  EADDRNOTAVAIL: exitCodes.configuration,
  ECONNREFUSED: exitCodes.unavailable,
  ENOTFOUND: exitCodes.unavailable,
  ETIMEDOUT: exitCodes.unavailable,
  // SQLSTATEs: no such role, wrong password, no such database
  '28000': exitCodes.configuration,
  '28P01': exitCodes.configuration,
  '3D000': exitCodes.configuration,
}

/** The code of any error: its own `exitCode`, what the system says about it, or 70. */
export function exitCodeOf(error: unknown): ExitCode {
  if (typeof error !== 'object' || error === null) return exitCodes.internal
  const { exitCode, code, cause } = error as { exitCode?: unknown; code?: unknown; cause?: unknown }
  const known = Object.values(exitCodes).find((value) => value === exitCode)
  if (known !== undefined) return known
  if (typeof code === 'string' && bySystemCode[code] !== undefined) return bySystemCode[code]
  return cause === undefined ? exitCodes.internal : exitCodeOf(cause)
}
