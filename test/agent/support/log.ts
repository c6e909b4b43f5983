import type { Logger } from '../../../src/agent/logger.js'

export interface LoggedLine {
  readonly level: string
  readonly message: string
  readonly fields: object
}

/** A logger whose lines a test can look at. */
export function recordingLogger(): Logger & { readonly lines: LoggedLine[] } {
  const lines: LoggedLine[] = []
  const at = (level: string) => (fields: object, message: string) => void lines.push({ level, message, fields })
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}
