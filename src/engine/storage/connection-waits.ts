import { type BeforeApplicationShutdown, Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { StreamWatch } from '../events/stream-watch.js'
import { Access } from '../platform/access.js'
import type { Caller } from '../platform/caller.js'
import { TooMany, Unavailable } from '../platform/errors.js'
import { Metrics } from '../platform/metrics.js'
import { Settings } from '../platform/settings.js'
import { ConnectionChanges, type ConnectionKey } from './connection-changes.js'
import { isReached, type WaitGoal } from './connection-goals.js'
import type { StorageConnection } from './storage-connection.entity.js'
import { StorageConnections } from './storage-connections.service.js'

export interface Wait extends ConnectionKey {
  /** Null: nothing is waited for. */
  readonly goal: WaitGoal | null
  readonly timeoutMs: number
}

/** Why a wait ended before its time. */
type Ending = 'reached' | 'timeout' | 'gone' | 'stopping' | 'changed-sight'

/** Callers who wait for a connection: woken from memory, whichever replica is told by the host. */
@Injectable()
export class ConnectionWaits implements BeforeApplicationShutdown {
  private readonly waiting = new Map<(ending: Ending) => void, string>()
  private stopping = false

  constructor(
    private readonly changes: ConnectionChanges,
    private readonly connections: StorageConnections,
    private readonly watch: StreamWatch,
    private readonly access: Access,
    private readonly settings: Settings,
    metrics: Metrics,
  ) {
    metrics.gauge({
      name: 'keelson_storage_waits',
      help: 'Callers who wait for a storage connection',
      collect: (gauge) => gauge.set(this.waiting.size),
    })
  }

  /**
   * The connection as it is when the goal is reached, or when the time is over.
   * @throws NotFound when it is not there, or goes meanwhile; TooMany, Unavailable
   */
  async get(caller: Caller, request: FastifyRequest, { goal, ...wait }: Wait): Promise<StorageConnection> {
    if (goal === null) return this.connections.require(caller, wait.hostId, wait.connectionId)
    const whose = caller.tokenId ?? caller.userId ?? caller.name
    this.requireRoom(whose)
    let end: (ending: Ending) => void = () => undefined
    const ended = new Promise<Ending>((resolve) => {
      end = resolve
    })
    const undo = [this.enter(whose, end)]
    try {
      undo.push(this.followCaller(caller, request, end))
      undo.push(
        await this.changes.listen(wait, (row) => (row === null || isReached(row, goal) ? end('reached') : null)),
      )
      const row = await this.connections.require(caller, wait.hostId, wait.connectionId)
      if (isReached(row, goal)) return row
      const timer = setTimeout(() => end('timeout'), wait.timeoutMs)
      undo.push(() => clearTimeout(timer))
      return await this.outcome(await ended, caller, request, wait)
    } finally {
      for (const step of undo.reverse()) step()
    }
  }

  /** Before the server is closed: who waits asks another replica. */
  beforeApplicationShutdown(): void {
    this.stopping = true
    for (const end of this.waiting.keys()) end('stopping')
  }

  private async outcome(
    ending: Ending,
    caller: Caller,
    request: FastifyRequest,
    { hostId, connectionId }: ConnectionKey,
  ): Promise<StorageConnection> {
    if (ending === 'stopping') throw new Unavailable('this replica is stopping: ask again', 1)
    if (ending === 'gone') throw new Unavailable('the caller hung up')
    // whoever may see less by now is told what may be seen now
    const now = ending === 'changed-sight' ? await this.access.callerOf(request) : caller
    return this.connections.require(now, hostId, connectionId)
  }

  private requireRoom(whose: string): void {
    if (this.stopping) throw new Unavailable('this replica is stopping: ask again', 1)
    const most = this.settings.get('storage.waits')
    if (this.waiting.size >= most) throw new Unavailable(`${most} callers wait already`, 5)
    // one caller leaves room for others
    const mostEach = this.settings.get('storage.waitsPerCaller')
    const own = [...this.waiting.values()].filter((one) => one === whose).length
    if (own >= mostEach) throw new TooMany(`no more than ${mostEach} waits at once`, 5)
  }

  private enter(whose: string, end: (ending: Ending) => void): () => void {
    this.waiting.set(end, whose)
    return () => this.waiting.delete(end)
  }

  private followCaller(caller: Caller, request: FastifyRequest, end: (ending: Ending) => void): () => void {
    const { socket } = request.raw
    const gone = () => end('gone')
    socket.once('close', gone)
    const unwatch = this.watch.add({ request, caller, end: () => end('changed-sight') })
    return () => {
      socket.off('close', gone)
      unwatch()
    }
  }
}
