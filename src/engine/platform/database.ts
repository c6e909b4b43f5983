import { AsyncLocalStorage } from 'node:async_hooks'
import type { PoolClient, QueryResultRow } from 'pg'
import type { DataSource, EntityManager } from 'typeorm'

/** A transaction in progress: what every helper that writes takes first. */
export type Tx = EntityManager

/** What must happen after the commit and never before it: a wake-up, a notification. */
type AfterCommit = () => void

/** Called with each transaction when its work is done, to write what belongs to it. */
type Witness = (tx: Tx) => Promise<void>

/** SQLSTATEs after which the same transaction may succeed: serialization failure, deadlock. */
const RETRYABLE = new Set(['40001', '40P01'])
const MAX_ATTEMPTS = 4

/**
 * The one database of an engine. `transaction` opens a transaction that is passed on visibly; a deadlock is tried again.
 * Inside `ambient`, every `transaction` joins the one that is open, so that an effect and its idempotency key commit together.
 */
export class Database {
  private readonly current = new AsyncLocalStorage<Tx>()
  private readonly hooks = new WeakMap<Tx, AfterCommit[]>()
  private witness: Witness = async () => undefined

  constructor(readonly dataSource: DataSource) {}

  /** Its word is the last of every transaction: written with it or not at all. */
  witnessedBy(witness: Witness): void {
    this.witness = witness
  }

  async transaction<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    const open = this.current.getStore()
    if (open) return work(open)
    return this.untilItHolds(async (tx) => {
      const result = await work(tx)
      await this.witness(tx)
      return result
    })
  }

  /**
   * A transaction of its own that stands whatever becomes of the request, for what must be kept of a call that is
   * refused: a failed login counts. It is not the call's change, and nobody witnesses it.
   */
  async aside<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.current.exit(() => this.untilItHolds(work))
  }

  private async untilItHolds<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.once(work)
      } catch (error) {
        if (attempt >= MAX_ATTEMPTS || !isRetryable(error)) throw error
      }
    }
  }

  /** As `transaction`, and every `transaction` that `work` calls in turn joins it. */
  async ambient<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    return this.transaction((tx) => this.current.run(tx, () => work(tx)))
  }

  /** Runs once the transaction has committed; dropped when it rolls back. */
  afterCommit(tx: Tx, hook: AfterCommit): void {
    const hooks = this.hooks.get(tx)
    if (hooks) hooks.push(hook)
    else throw new Error('afterCommit outside a transaction')
  }

  /** Undoes `work` alone when it throws; the transaction around it goes on. */
  async savepoint<T>(tx: Tx, work: () => Promise<T>): Promise<T> {
    await tx.query('SAVEPOINT settling')
    const hooks = this.hooks.get(tx) ?? []
    const before = hooks.length
    try {
      const result = await work()
      await tx.query('RELEASE SAVEPOINT settling')
      return result
    } catch (error) {
      hooks.length = before
      await tx.query('ROLLBACK TO SAVEPOINT settling')
      throw error
    }
  }

  /** A statement outside any transaction of the caller's, on any connection of the pool. */
  async query<R extends QueryResultRow>(name: string, sql: string, parameters: readonly unknown[] = []): Promise<R[]> {
    const open = this.current.getStore()
    if (open) return prepared<R>(open, name, sql, parameters)
    const runner = this.dataSource.createQueryRunner()
    try {
      return await prepared<R>(runner.manager, name, sql, parameters)
    } finally {
      await runner.release()
    }
  }

  /** Whether `transaction` would join one that is open. */
  get isOpen(): boolean {
    return this.current.getStore() !== undefined
  }

  /** One statement, on any connection of the pool, which is a transaction by itself: no round trips to begin and commit. */
  async statement<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    const open = this.current.getStore()
    if (open) return work(open)
    const runner = this.dataSource.createQueryRunner()
    try {
      return await work(runner.manager)
    } finally {
      await runner.release()
    }
  }

  private async once<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
    const hooks: AfterCommit[] = []
    const result = await this.dataSource.transaction(async (tx) => {
      this.hooks.set(tx, hooks)
      return work(tx)
    })
    for (const hook of hooks) hook()
    return result
  }
}

/**
 * One of the hot paths' statements, named so that Postgres parses and plans it once per connection. The text of a name
 * must never change.
 */
export async function prepared<R extends QueryResultRow>(
  tx: Tx,
  name: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<R[]> {
  const runner = tx.queryRunner
  if (!runner) throw new Error(`${name} needs a connection of its own`)
  // the driver's connect() is typed any: with `pg` it is the pooled client
  const client = (await runner.connect()) as PoolClient
  return (await client.query<R>({ name, text, values: [...values] })).rows
}

/**
 * Part of a statement that is a transaction by itself: its commit is seen at once, and waits for no disk. A Postgres that is
 * killed within the second may have forgotten it: only for what is then done again, and comes to the same (ADR 43).
 * Whoever uses it must ask it for its row.
 */
export const UNFLUSHED = `unflushed AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true))`

/** Whether the same transaction may succeed when it is tried again. */
export const isRetryable = (error: unknown): boolean => RETRYABLE.has(sqlState(error) ?? '')

/** The SQLSTATE of an error of the driver's, also when TypeORM wrapped it. */
export function sqlState(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  const { code, driverError } = error as { code?: unknown; driverError?: { code?: unknown } }
  const found = driverError?.code ?? code
  return typeof found === 'string' ? found : undefined
}
