import { type Logger, silentLogger } from '../agent/logger.js'

/** Pino's, which says what is worth putting together. */
export interface SimulationLogger extends Logger {
  isLevelEnabled?(level: string): boolean
}

const ERRORS_PER_INTERVAL = 10

/**
 * The loggers of thousands of hosts. What one of them meets is told at debug level alone; what breaks, or is refused, is
 * told for the first few in each interval.
 */
export class QuietLoggers {
  private left = ERRORS_PER_INTERVAL
  private held = 0

  constructor(private readonly logger: SimulationLogger) {}

  of(host: string): Logger {
    const error: Logger['error'] = (fields, message) => this.error({ host, ...fields }, message)
    if (this.logger.isLevelEnabled?.('debug') !== true) return { ...silentLogger, error }
    const debug: Logger['debug'] = (fields, message) => this.logger.debug({ host, ...fields }, message)
    return { debug, info: debug, warn: debug, error }
  }

  /** Begins the next interval, and says how much was held back in the last one. */
  renew(): void {
    if (this.held > 0) this.logger.error({ errors: this.held }, 'more hosts had errors')
    this.left = ERRORS_PER_INTERVAL
    this.held = 0
  }

  private error(fields: object, message: string): void {
    if (this.left === 0) {
      this.held += 1
      return
    }
    this.left -= 1
    this.logger.error(fields, message)
  }
}
