import { Injectable, Logger } from '@nestjs/common'
import type { Fault } from '../../wire/session.js'
import { type EventDraft, Events } from '../events/events.service.js'
import { Database, isRetryable, sqlState, type Tx } from '../platform/database.js'
import { isDatabaseOutage } from '../platform/database-outage.js'
import { currentHosts, type EndReport, endByPlane, endExpired, endReported } from './commands.queries.js'
import { type EndedCommand, Settlers } from './settlers.js'

const EXPIRY_BATCH = 200
/** A settler that takes too long would take too long again: that is its own fault. */
const STATEMENT_TIMEOUT = '57014'

/**
 * Ends commands and moves the rows behind them, in one transaction each time. A batch is settled as a whole; only when
 * a settler throws is it done again one by one, so that a poisoned command costs nobody else anything.
 */
@Injectable()
export class Settlement {
  private readonly log = new Logger(Settlement.name)

  constructor(
    private readonly database: Database,
    private readonly settlers: Settlers,
    private readonly events: Events,
  ) {}

  /** @returns those that came under the current epoch and are recorded, as `<hostId> <epoch>` */
  async report(reports: readonly EndReport[]): Promise<ReadonlySet<string>> {
    let current: ReadonlySet<string> = new Set()
    await this.settleAll(async (tx) => {
      current = await currentHosts(tx, reports)
      return endReported(tx, reports)
    })
    return current
  }

  /** @returns how many had expired */
  async expire(): Promise<number> {
    return this.settleAll((tx) => endExpired(tx, EXPIRY_BATCH))
  }

  /** Ends one command by the plane's own decision, in the caller's transaction. */
  async end(tx: Tx, commandId: string, fault: Fault, state: 'failed' | 'superseded' = 'failed'): Promise<void> {
    const ended = await endByPlane(tx, commandId, state, fault)
    if (ended) await this.settleOneByOne(tx, [ended])
  }

  private async settleAll(end: (tx: Tx) => Promise<EndedCommand[]>): Promise<number> {
    try {
      return await this.database.transaction(async (tx) => {
        const ended = await end(tx)
        const drafts: EventDraft[] = []
        for (const [kind, group] of byKind(ended)) {
          drafts.push(...(await this.guarded(() => this.settlers.of(kind).settle(tx, group))))
        }
        await this.events.append(tx, [...drafts, ...expiries(ended)])
        return ended.length
      })
    } catch (error) {
      if (!(error instanceof SettlerFailed)) throw error
    }
    return this.database.transaction(async (tx) => {
      const ended = await end(tx)
      await this.settleOneByOne(tx, ended)
      return ended.length
    })
  }

  private async settleOneByOne(tx: Tx, ended: readonly EndedCommand[]): Promise<void> {
    for (const command of ended) {
      const drafts = await this.settleOne(tx, command)
      await this.events.append(tx, [...drafts, ...expiries([command])])
    }
  }

  private async settleOne(tx: Tx, command: EndedCommand): Promise<EventDraft[]> {
    const settler = this.settlers.of(command.kind)
    try {
      return await this.database.savepoint(tx, () => settler.settle(tx, [command]))
    } catch (error) {
      if (isPassing(error)) throw error
      const reason = error instanceof Error ? error.message : String(error)
      this.log.error({ err: error, commandId: command.id }, `the settler of ${command.kind} failed`)
      await tx.query('UPDATE commands SET settle_error = $2 WHERE id = $1', [command.id, reason])
      const drafts = await this.giveUp(tx, command, reason)
      return [
        ...drafts,
        {
          type: 'commands.command.unsettled',
          subject: `command/${command.id}`,
          hostId: command.hostId,
          projectId: command.projectId,
          payload: { reason },
        },
      ]
    }
  }

  private async giveUp(tx: Tx, command: EndedCommand, reason: string): Promise<EventDraft[]> {
    try {
      return await this.database.savepoint(tx, () => this.settlers.of(command.kind).giveUp(tx, command, reason))
    } catch (error) {
      if (isPassing(error)) throw error
      this.log.error(
        { err: error, commandId: command.id },
        `the fallback of ${command.kind} failed: the sweep will find its row`,
      )
      return []
    }
  }

  /** Tells a settler's fault, which is met one by one, from the database's, which is the caller's to repeat. */
  private async guarded<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      if (isPassing(error)) throw error
      throw new SettlerFailed('a settler failed', { cause: error })
    }
  }
}

/** The database's fault, not the settler's: the whole is tried again, by the transaction or by the agent. */
const isPassing = (error: unknown): boolean =>
  isRetryable(error) || (isDatabaseOutage(error) && sqlState(error) !== STATEMENT_TIMEOUT)

class SettlerFailed extends Error {}

function byKind(ended: readonly EndedCommand[]): Map<EndedCommand['kind'], EndedCommand[]> {
  const groups = new Map<EndedCommand['kind'], EndedCommand[]>()
  for (const command of ended) {
    const group = groups.get(command.kind)
    if (group) group.push(command)
    else groups.set(command.kind, [command])
  }
  return groups
}

function expiries(ended: readonly EndedCommand[]): EventDraft[] {
  return ended
    .filter((c) => c.state === 'expired')
    .map((c) => ({
      type: 'commands.command.expired' as const,
      subject: `command/${c.id}`,
      hostId: c.hostId,
      projectId: c.projectId,
      payload: { kind: c.kind, subject: c.subject },
    }))
}
