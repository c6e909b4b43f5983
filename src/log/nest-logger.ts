import type { LoggerService } from '@nestjs/common'
import type { Logger } from './logger.js'

/** Nest's own words, through our logger: its last string argument is the class that speaks. */
export class NestLogger implements LoggerService {
  constructor(private readonly logger: Logger) {}

  log(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest)
  }
  debug(message: unknown, ...rest: unknown[]): void {
    this.write('debug', message, rest)
  }
  verbose(message: unknown, ...rest: unknown[]): void {
    this.write('trace', message, rest)
  }
  warn(message: unknown, ...rest: unknown[]): void {
    this.write('warn', message, rest)
  }
  error(message: unknown, ...rest: unknown[]): void {
    this.write('error', message, rest)
  }
  fatal(message: unknown, ...rest: unknown[]): void {
    this.write('fatal', message, rest)
  }

  private write(level: 'trace' | 'debug' | 'warn' | 'error' | 'fatal', message: unknown, rest: unknown[]): void {
    const context = typeof rest.at(-1) === 'string' ? rest.pop() : undefined
    // ours is called as pino is: fields first, then the words
    if (isFields(message) && typeof rest[0] === 'string') {
      this.logger[level]({ context, ...message }, rest[0])
      return
    }
    const err = message instanceof Error ? message : rest.find((value) => value instanceof Error)
    const stack = rest.find((value) => typeof value === 'string')
    this.logger[level]({ context, err, stack }, message instanceof Error ? message.message : String(message))
  }
}

const isFields = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !(value instanceof Error)
