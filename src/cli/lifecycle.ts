import { exitCodes } from '../config/exit.js'
import type { Logger } from '../log/logger.js'

export interface Running {
  stop(): Promise<void>
}

const SAME_SIGNAL_MS = 1_000

export interface Lifecycle {
  readonly logger: Logger
  /** Longest time from the first signal to the end. */
  readonly stopLimitMs: number
  readonly start: () => Promise<Running>
}

/**
 * Runs a program until SIGTERM or SIGINT, then stops it in order. A second signal, or a stop that takes too long, ends the
 * process at once with 70: what it leaves behind is what a crash leaves, and is made for that.
 */
export async function runUntilStopped({ logger, stopLimitMs, start }: Lifecycle): Promise<never> {
  const { first, received } = watchSignals(logger, stopLimitMs)
  dieOfTheUnexpected(logger)
  const running = await start().catch((error: unknown) => {
    if (!received()) throw error
    logger.warn({ err: error }, 'the start was given up')
    return process.exit(exitCodes.ok)
  })
  await first
  await running.stop()
  logger.info('stopped')
  process.exit(exitCodes.ok)
}

function watchSignals(logger: Logger, stopLimitMs: number): { first: Promise<void>; received: () => boolean } {
  let firstMs = 0
  const first = new Promise<void>((resolve) => {
    const onSignal = (signal: NodeJS.Signals): void => {
      // a terminal and a runner between may each pass the same one on
      if (firstMs > 0 && performance.now() - firstMs < SAME_SIGNAL_MS) return
      if (firstMs > 0) {
        logger.fatal({ signal }, 'a second signal: ending at once')
        process.exit(exitCodes.internal)
      }
      firstMs = performance.now()
      logger.info({ signal }, 'stopping')
      setTimeout(() => {
        logger.fatal({ stopLimitMs }, 'did not stop in time: ending at once')
        process.exit(exitCodes.internal)
      }, stopLimitMs).unref()
      resolve()
    }
    process.on('SIGTERM', onSignal)
    process.on('SIGINT', onSignal)
  })
  return { first, received: () => firstMs > 0 }
}

/** Its state is unknown from here on, and everything that matters is on disk: a supervisor starts it anew. */
function dieOfTheUnexpected(logger: Logger): void {
  const die = (what: string) => (reason: unknown) => {
    const err = reason instanceof Error ? reason : new Error(String(reason))
    logger.fatal({ err }, what)
    process.exit(exitCodes.internal)
  }
  process.on('uncaughtException', die('uncaught exception'))
  process.on('unhandledRejection', die('unhandled rejection'))
}
