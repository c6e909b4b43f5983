import { type DestinationStream, destination, type LoggerOptions, type Logger as PinoLogger, pino } from 'pino'
import { isColorSupported, build as prettyStream } from 'pino-pretty'
import { currentContext } from './context.js'
import type { LogFormat, LogLevel } from './levels.js'
import { redaction, scrub } from './redaction.js'

export type Logger = PinoLogger

export interface LogSettings {
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
}

/**
 * One line per event, as JSON or for the eye. Written synchronously: a process that is killed has said everything that
 * it meant to say.
 */
export function createLogger(program: string, settings: LogSettings, output?: DestinationStream): Logger {
  const options: LoggerOptions = {
    name: program,
    level: settings.logLevel,
    redact: redaction,
    hooks: { streamWrite: scrub },
    mixin: () => ({ ...currentContext() }),
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (level) => ({ level }) },
  }
  return pino(options, output ?? streamFor(settings.logFormat))
}

function streamFor(format: LogFormat): DestinationStream {
  const pretty = format === 'pretty' || (format === 'auto' && process.stdout.isTTY)
  if (!pretty) return destination({ fd: 1, sync: true })
  const colorize = process.stdout.isTTY && isColorSupported
  return prettyStream({ sync: true, colorize, ignore: 'pid,hostname,name', translateTime: 'SYS:HH:MM:ss.l' })
}
