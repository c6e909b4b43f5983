import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common'
import type { CommandKind } from '../../wire/commands.js'
import type { CommandMessage, GoodbyeMessage } from '../../wire/session.js'
import type { DispatchRoom } from '../commands/dispatch.queries.js'
import { Dispatcher, type SessionHub } from '../commands/dispatcher.js'
import { Metrics } from '../platform/metrics.js'
import { Notifications } from '../platform/notifications.js'
import { Gate, type Strayed } from './gate.js'
import type { Session } from './session.js'

const CHECK_MS = 500
const STRAYED_MS = 5_000
const RECHECK_CHANNEL = 'keelson_sessions'

/** What an agent whose session has strayed is told. */
const farewells: Record<Strayed['why'], readonly [GoodbyeMessage['reason'], string]> = {
  removed: ['removed', 'this host was removed from the plane'],
  revoked: ['refused', 'certificate-revoked: join the plane anew'],
  expired: ['refused', 'certificate-expired: dial with the next one, or join the plane anew'],
  fenced: ['fenced', 'the database does not know this session'],
}

/**
 * The sessions of this replica, and nothing but memory: a heartbeat touches no database. A host whose session falls
 * silent or breaks is told to the hosts' module, which alone writes.
 */
@Injectable()
export class SessionRegistry implements SessionHub, OnApplicationShutdown {
  private readonly log = new Logger(SessionRegistry.name)
  private readonly byHost = new Map<string, Session>()
  private readonly timers: readonly NodeJS.Timeout[]
  private draining = false
  private looks = 0
  private checkedMs = performance.now()

  constructor(
    private readonly dispatcher: Dispatcher,
    private readonly gate: Gate,
    private readonly notifications: Notifications,
    metrics: Metrics,
  ) {
    notifications.listen(RECHECK_CHANNEL, (hostId) => this.look(hostId))
    this.timers = [
      setInterval(() => this.dropSilent(), CHECK_MS).unref(),
      setInterval(() => void this.dropStrayed(null), STRAYED_MS).unref(),
    ]
    metrics.gauge({
      name: 'keelson_sessions',
      help: 'Sessions of hosts that this replica holds',
      collect: (gauge) => gauge.set(this.byHost.size),
    })
    dispatcher.start(this)
  }

  get accepting(): boolean {
    return !this.draining
  }

  get size(): number {
    return this.byHost.size
  }

  add(session: Session): void {
    this.byHost.get(session.hostId)?.end('fenced', 'a newer session of this host was opened')
    this.byHost.set(session.hostId, session)
  }

  of(hostId: string): Session | undefined {
    return this.byHost.get(hostId)
  }

  /** The connection has gone, in order or not. */
  remove(session: Session, reason: string): void {
    session.end(null)
    if (this.byHost.get(session.hostId) !== session) return
    this.byHost.delete(session.hostId)
    if (!this.draining) void this.gate.hosts.lost(session.hostId, session.epoch, reason)
  }

  /** The agent said goodbye: the host is not lost. */
  forget(session: Session): void {
    if (this.byHost.get(session.hostId) === session) this.byHost.delete(session.hostId)
    session.end(null)
  }

  /** The host was removed, or its certificates revoked: whichever replica holds its session looks, and ends it. */
  recheck(hostId: string): void {
    this.look(hostId)
    this.notifications.notify(RECHECK_CHANNEL, hostId)
  }

  /** Changes with each look that was asked for. */
  get rechecks(): number {
    return this.looks
  }

  lookAt({ hostId }: Session): void {
    void this.dropStrayed(hostId)
  }

  ready(session: Session): void {
    session.compared()
    this.dispatcher.wake(session.hostId)
  }

  /** @returns whether it is time to tell the agent the floor */
  ended(session: Session, commandIds: readonly string[]): boolean {
    const wasFull = session.room <= 0
    const floorDue = session.settled(commandIds)
    if (wasFull) this.dispatcher.wake(session.hostId)
    return floorDue
  }

  owns(hostId: string): boolean {
    return this.byHost.has(hostId)
  }

  owned(): string[] {
    return [...this.byHost.keys()]
  }

  room(hostId: string): DispatchRoom | null {
    const session = this.byHost.get(hostId)
    return session && !this.draining ? { hostId, epoch: session.epoch, room: session.room } : null
  }

  understands(hostId: string, kind: CommandKind): boolean {
    return this.byHost.get(hostId)?.hello.kinds.includes(kind) ?? true
  }

  holds(hostId: string, commandId: string): boolean {
    const session = this.byHost.get(hostId)
    // one that is not ready: its admission has just put everything back
    return !session?.ready || session.inFlight.has(commandId)
  }

  deliver(hostId: string, command: CommandMessage): void {
    const session = this.byHost.get(hostId)
    // otherwise it stays dispatched under an epoch that has ended, and the next session is sent it
    if (session?.epoch === command.epoch) session.send(command)
  }

  /** No new sessions, no new commands; the agents are asked to dial another address. */
  async drain(): Promise<void> {
    this.draining = true
    for (const session of this.byHost.values()) session.end('draining')
    this.byHost.clear()
  }

  async onApplicationShutdown(): Promise<void> {
    for (const timer of this.timers) clearInterval(timer)
    await this.drain()
  }

  private look(hostId: string | null): void {
    this.looks += 1
    void this.dropStrayed(hostId)
  }

  private dropSilent(): void {
    const pausedMs = performance.now() - this.checkedMs
    this.checkedMs = performance.now()
    // this process stood still itself: what hosts said meanwhile is still unread, so every grace starts anew
    if (pausedMs > CHECK_MS * 4) for (const session of this.byHost.values()) session.heard()
    for (const session of this.byHost.values()) {
      if (session.silentMs < session.limits.silenceMs) continue
      this.log.warn({ hostId: session.hostId, silentMs: Math.round(session.silentMs) }, 'a host fell silent')
      session.socket.destroy()
      this.remove(session, `nothing was heard of it for ${Math.round(session.silentMs / 1000)} s`)
    }
  }

  /** A database that was put back beneath its sessions would never send them anything: they dial anew, and prove it. */
  private async dropStrayed(hostId: string | null): Promise<void> {
    const sessions = [...this.byHost.values()].filter((session) => hostId === null || session.hostId === hostId)
    if (sessions.length === 0) return
    try {
      const strayed = new Map((await this.gate.hosts.strayed(sessions)).map(({ hostId, why }) => [hostId, why]))
      for (const session of sessions) {
        const why = strayed.get(session.hostId)
        if (why && this.byHost.get(session.hostId) === session) this.endStrayed(session, why)
      }
    } catch (error) {
      this.log.debug({ err: error }, 'cannot compare the sessions with the database')
    }
  }

  private endStrayed(session: Session, why: Strayed['why']): void {
    const { hostId, epoch } = session
    const [reason, detail] = farewells[why]
    this.log.warn({ hostId, epoch, why }, detail)
    this.byHost.delete(hostId)
    session.end(reason, detail)
    // no other session has taken its place: nobody else would say so
    if (why === 'expired') void this.gate.hosts.lost(hostId, epoch, 'its certificate has expired')
  }
}
