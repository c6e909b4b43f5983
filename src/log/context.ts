import { AsyncLocalStorage } from 'node:async_hooks'

/** What every log line says about the work it was written for. */
export interface LogContext {
  readonly requestId?: string
  readonly commandId?: string
}

const current = new AsyncLocalStorage<LogContext>()

/** Runs `fn` with these fields on every line it logs, added to those it was called with. */
export function runWith<T>(fields: LogContext, fn: () => T): T {
  return current.run({ ...current.getStore(), ...fields }, fn)
}

export function currentContext(): LogContext {
  return current.getStore() ?? {}
}
