import { Injectable } from '@nestjs/common'
import { Database } from './database.js'
import { DomainError } from './errors.js'

/** Throws, or rejects, with what is missing. */
export type ReadinessCheck = () => void | Promise<void>

const CHECK_TIMEOUT_MS = 1_000

/** 503 on `/health/ready`, with the checks that failed. */
export class NotReady extends DomainError {
  constructor(missing: Readonly<Record<string, string>>) {
    super('not-ready', `not ready: ${Object.keys(missing).join(', ')}`, { missing })
  }
}

/** Whether requests should come here: each module says what has to be so. */
@Injectable()
export class Readiness {
  private readonly checks = new Map<string, ReadinessCheck>()

  constructor(database: Database) {
    this.register('database', async () => {
      await database.query('readiness', 'SELECT 1')
    })
  }

  register(name: string, check: ReadinessCheck): void {
    this.checks.set(name, check)
  }

  /** @throws NotReady */
  async require(): Promise<void> {
    const failed = await Promise.all([...this.checks].map(([name, check]) => attempt(name, check)))
    const missing = failed.filter((entry) => entry !== null)
    if (missing.length > 0) throw new NotReady(Object.fromEntries(missing))
  }
}

async function attempt(name: string, check: ReadinessCheck): Promise<readonly [string, string] | null> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`)), CHECK_TIMEOUT_MS)
  })
  try {
    await Promise.race([Promise.resolve().then(check), late])
    return null
  } catch (error) {
    return [name, (error as Error).message]
  } finally {
    clearTimeout(timer)
  }
}
