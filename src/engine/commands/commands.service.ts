import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { currentContext } from '../../log/context.js'
import { type CommandKind, commandKinds, type PayloadOf } from '../../wire/commands.js'
import { type EventDraft, Events, eventRow, nameSubjects } from '../events/events.service.js'
import { type Caller, requireInProject } from '../platform/caller.js'
import { Database, type Tx } from '../platform/database.js'
import { NotFound } from '../platform/errors.js'
import type { Listing } from '../platform/listing.js'
import { inProjectsOf, type Page, page } from '../platform/pages.js'
import { Sealer } from '../platform/sealing.js'
import type { CommandQuery } from './command.dto.js'
import { Command } from './command.entity.js'
import { sealSecrets } from './command-secrets.js'
import { type CommandInsert, floorOf, insertCommands } from './commands.queries.js'
import { Wakeups } from './wakeups.js'

export interface NewCommand<K extends CommandKind> {
  /** Given where the row has to name its command before it is queued. */
  readonly id?: string
  readonly kind: K
  readonly hostId: string
  /** Of the thing that it is for. Null or left out: it is the plane's own. */
  readonly projectId?: string | null
  readonly subject: string
  readonly generation: number
  readonly payload: PayloadOf<K>
  /** Where a setting says it; left out: the kind's own. */
  readonly deadlineMs?: number
  /** Of the payload, what is secret: sealed in the queue, and with the rest again when it is sent. */
  readonly secrets?: Partial<PayloadOf<K>>
  /** What tells of the request: written by the same statement. */
  readonly events?: readonly EventDraft[]
}

const listing: Listing<Command> = {
  entity: Command,
  sortable: ['createdAt', 'seq', 'state'],
  defaultSort: '-createdAt',
  filterable: ['hostId', 'projectId', 'state', 'kind', 'subject'],
}

/** The queue of what hosts are asked to do. */
@Injectable()
export class Commands {
  constructor(
    private readonly database: Database,
    private readonly wakeups: Wakeups,
    private readonly events: Events,
    private readonly sealer: Sealer,
  ) {}

  list(caller: Caller, query: CommandQuery): Promise<Page<Command>> {
    return page(this.database.dataSource.manager, listing, query, inProjectsOf(caller))
  }

  async require(caller: Caller, id: string): Promise<Command> {
    const command = await this.database.dataSource.manager.findOneBy(Command, { id })
    if (!command) throw new NotFound(`command ${id}`)
    requireInProject(caller, command.projectId, 'viewer', `command ${id}`)
    return command
  }

  /** Every command of the host up to this number has ended: its agent may forget their marks. */
  floor(hostId: string): Promise<number> {
    return this.database.transaction((tx) => floorOf(tx, hostId))
  }

  /**
   * Queues a command in the caller's transaction: it stands or falls with the row that it is for. A *level* command
   * supersedes those of its subject that are still queued. The host's owner is woken after the commit.
   * @returns the command's id
   */
  async enqueue<K extends CommandKind>(tx: Tx, command: NewCommand<K>): Promise<string> {
    const insert = this.insertOf(command)
    await this.insert(tx, [command], [insert])
    return insert.id
  }

  /** As `enqueue`, for many in one statement; those of one host get their numbers in this order. */
  async enqueueAll<K extends CommandKind>(tx: Tx, commands: readonly NewCommand<K>[]): Promise<void> {
    if (commands.length === 0) return
    await this.insert(
      tx,
      commands,
      commands.map((command) => this.insertOf(command)),
    )
  }

  /** After a statement that queues by `queueing` itself: host and readers hear of it. */
  queued(commands: readonly CommandInsert[]): void {
    if (commands.some(({ events }) => events.length > 0)) this.events.announceNow()
    for (const hostId of new Set(commands.map((command) => command.hostId))) this.wakeups.wake(hostId)
  }

  /** What a statement that queues by `queueing` takes. */
  insertOf<K extends CommandKind>(command: NewCommand<K>): CommandInsert {
    const { mode, deadlineMs } = commandKinds[command.kind]
    const id = command.id ?? randomUUID()
    const { kind, hostId, subject, generation, payload } = command
    return {
      id,
      kind,
      hostId,
      subject,
      generation,
      payload,
      projectId: command.projectId ?? null,
      sealedSecrets: sealSecrets(this.sealer, id, command.secrets),
      deadlineMs: command.deadlineMs ?? deadlineMs,
      supersedes: mode === 'level',
      requestId: currentContext().requestId ?? null,
      events: (command.events ?? []).map((draft) => eventRow(draft, id)),
    }
  }

  private async insert<K extends CommandKind>(
    tx: Tx,
    commands: readonly NewCommand<K>[],
    inserts: readonly CommandInsert[],
  ): Promise<void> {
    for (const { events = [] } of commands) nameSubjects(events)
    const queued = await insertCommands(tx, inserts)
    if (queued < inserts.length) throw new NotFound(`host ${[...new Set(inserts.map((i) => i.hostId))].join(', ')}`)
    this.database.afterCommit(tx, () => this.queued(inserts))
  }
}
