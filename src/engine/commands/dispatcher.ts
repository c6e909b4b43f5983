import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common'
import { type CommandKind, isCommandKind } from '../../wire/commands.js'
import type { CommandMessage, Fault } from '../../wire/session.js'
import { Database } from '../platform/database.js'
import { Notifications } from '../platform/notifications.js'
import { Sealer } from '../platform/sealing.js'
import { openSecrets } from './command-secrets.js'
import {
  claimQueued,
  type DispatchedRow,
  type DispatchRoom,
  dispatchedLong,
  hostsWithQueued,
  requeue,
} from './dispatch.queries.js'
import { Settlement } from './settlement.js'
import { COMMANDS_CHANNEL, Wakeups } from './wakeups.js'

/** The sessions that this replica holds, as the dispatcher needs them. */
export interface SessionHub {
  owns(hostId: string): boolean
  owned(): string[]
  /** Epoch and room in the window; null when the host has no session here that takes commands. */
  room(hostId: string): DispatchRoom | null
  /** The kinds that the host's agent carries out. */
  understands(hostId: string, kind: CommandKind): boolean
  deliver(hostId: string, command: CommandMessage): void
  /** Whether the command was sent over the host's session, or the session is not yet ready for any. */
  holds(hostId: string, commandId: string): boolean
}

const POLL_MS = 3_000
const RETRY_MS = 500
const HOSTS_PER_CLAIM = 500

/** Claims what is queued for the hosts of this replica, in batches, and hands it to their sessions. */
@Injectable()
export class Dispatcher implements OnApplicationShutdown {
  private readonly log = new Logger(Dispatcher.name)
  private readonly awake = new Set<string>()
  private hub: SessionHub | null = null
  private running: Promise<void> | null = null
  private poll: NodeJS.Timeout | null = null
  private stopped = false

  constructor(
    private readonly database: Database,
    private readonly settlement: Settlement,
    private readonly notifications: Notifications,
    private readonly wakeups: Wakeups,
    private readonly sealer: Sealer,
  ) {}

  start(hub: SessionHub): void {
    this.hub = hub
    this.wakeups.connect((hostId) => this.wake(hostId))
    this.notifications.listen(COMMANDS_CHANNEL, (hostId) => {
      if (hostId) this.wake(hostId)
      else void this.lookAtAll()
    })
    this.poll = setInterval(() => void this.lookAtAll(), POLL_MS)
    this.poll.unref()
  }

  /** @returns whether the host is this replica's */
  wake(hostId: string): boolean {
    if (!this.hub?.owns(hostId)) return false
    this.awake.add(hostId)
    this.run()
    return true
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true
    if (this.poll) clearInterval(this.poll)
    await this.running
  }

  /**
   * The net under lost wake-ups, and under claims that were never sent: one whose session ended as it was made, or whose
   * commit was not confirmed. An agent runs a command once however often it is sent.
   */
  private async lookAtAll(): Promise<void> {
    const owned = this.hub?.owned() ?? []
    if (owned.length === 0 || this.stopped) return
    try {
      const queued = await this.database.transaction(async (tx) => {
        const adrift = (await dispatchedLong(tx, owned)).filter((row) => !this.hub?.holds(row.host_id, row.id))
        if (adrift.length > 0) await requeue(tx, adrift)
        return hostsWithQueued(tx, owned)
      })
      for (const hostId of queued) this.wake(hostId)
    } catch (error) {
      this.log.debug({ err: error }, 'cannot look for queued commands')
    }
  }

  private run(): void {
    if (this.running || this.stopped) return
    this.running = this.drain().finally(() => {
      this.running = null
      if (this.awake.size > 0 && !this.stopped) this.run()
    })
  }

  private async drain(): Promise<void> {
    // hosts that are woken together are served together
    await Promise.resolve()
    while (this.awake.size > 0 && !this.stopped) {
      const hostIds = [...this.awake].slice(0, HOSTS_PER_CLAIM)
      for (const hostId of hostIds) this.awake.delete(hostId)
      const rooms = hostIds
        .map((id) => this.hub?.room(id) ?? null)
        .filter((r): r is DispatchRoom => r !== null && r.room > 0)
      if (rooms.length === 0) continue
      try {
        const rows = await this.database.statement((tx) => claimQueued(tx, rooms))
        await this.send(rows)
      } catch (error) {
        this.log.warn({ err: error }, 'cannot claim commands: trying again')
        for (const hostId of hostIds) this.awake.add(hostId)
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  private async send(rows: DispatchedRow[]): Promise<void> {
    rows.sort((a, b) => a.seq - b.seq)
    const strange: DispatchedRow[] = []
    const sealed: DispatchedRow[] = []
    for (const row of rows) {
      const secrets = openSecrets(this.sealer, row.id, row.sealed_secrets)
      if (secrets === null) sealed.push(row)
      else if (isCommandKind(row.kind) && this.hub?.understands(row.host_id, row.kind)) {
        this.hub.deliver(row.host_id, messageOf(row, secrets))
      } else strange.push(row)
    }
    await this.refuseAll(strange, (row) => ({
      type: 'unsupported',
      message: `the agent of this host does not understand ${row.kind}`,
    }))
    await this.refuseAll(sealed, () => ({
      type: 'sealed',
      message: 'no sealing key at hand opens its credentials: give them again',
    }))
  }

  private async refuseAll(rows: readonly DispatchedRow[], faultOf: (row: DispatchedRow) => Fault): Promise<void> {
    for (const row of rows) {
      await this.refuse(row, faultOf(row)).catch((error: unknown) =>
        this.log.warn({ err: error }, 'cannot refuse a command yet'),
      )
    }
  }

  private async refuse(row: DispatchedRow, fault: Fault): Promise<void> {
    await this.database.transaction((tx) => this.settlement.end(tx, row.id, fault))
  }
}

function messageOf(row: DispatchedRow, secrets: object): CommandMessage {
  return {
    type: 'command',
    id: row.id,
    seq: row.seq,
    kind: row.kind,
    subject: row.subject,
    generation: row.generation,
    payload: { ...row.payload, ...secrets },
    epoch: row.epoch,
    remainingMs: row.remaining_ms === null ? null : Math.max(0, Math.round(row.remaining_ms)),
    permitted: row.permitted,
    requestId: row.request_id,
  }
}
