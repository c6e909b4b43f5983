import type { Server as NetServer, Socket } from 'node:net'
import { ServerTCP, TcpContext } from '@nestjs/microservices'
import { patterns } from '../../wire/session.js'
import { FrameSocket } from './frame-socket.js'
import { refuse } from './gate.js'

export interface SessionServerOptions {
  readonly host: string
  readonly port: number
  /** A connection that has not opened a session after this long is closed. */
  readonly openWithinMs?: number
  /** Connections without a session, at most; the oldest of them goes when another comes. */
  readonly maxStrangers?: number
}

const OPEN_WITHIN_MS = 10_000
const MAX_STRANGERS = 512
/** Without a session there is nothing to say but a hello, and perhaps another one. */
const MAX_STRANGER_MESSAGES = 8

/** Nest's TCP transport with limits: strangers are few and short-lived, and no peer's fault is anybody else's. */
export class SessionServer extends ServerTCP {
  private readonly strangers = new Map<Socket, { readonly timer: NodeJS.Timeout; messages: number }>()

  /** Set by the controller. Heartbeats are most of what is ever said, and Nest's pipeline costs twice the rest of one. */
  heartbeat: (socket: Socket, payload: unknown) => object = () => refuse('unavailable', 'the engine is starting')

  constructor(private readonly limits: SessionServerOptions) {
    super({ host: limits.host, port: limits.port, socketClass: FrameSocket })
  }

  /** The port that was bound, also where 0 was asked for. */
  get address(): { address: string; port: number } {
    const bound = this.unwrap<NetServer>().address()
    if (bound === null || typeof bound === 'string') throw new Error('the transport does not listen')
    return bound
  }

  override bindHandler(socket: Socket): void {
    socket.on('error', () => undefined)
    this.watch(socket)
    super.bindHandler(socket)
  }

  /** The peer has a session: it is no stranger any more. */
  admitted(socket: Socket): void {
    this.forget(socket)
  }

  /** A faulty peer is dropped by its socket; what it sent does not belong in the log at error level. */
  override handleError(error: unknown): void {
    this.logger.debug?.(error instanceof Error ? error.message : String(error))
  }

  /** An unanswerable message (no pattern, not an object) is a peer's fault as well. */
  override async handleMessage(socket: FrameSocket, rawMessage: unknown): Promise<void> {
    const packet = rawMessage as { pattern?: unknown; id?: unknown; data?: unknown } | null
    if (
      this.isTalkative(socket.netSocket) ||
      typeof packet !== 'object' ||
      packet === null ||
      packet.pattern === undefined ||
      typeof packet.id !== 'string'
    ) {
      socket.netSocket.destroy()
      return
    }
    if (isBeat(packet.pattern)) {
      socket.sendMessage({ response: this.heartbeat(socket.netSocket, packet.data), isDisposed: true, id: packet.id })
      return
    }
    await super.handleMessage(socket, rawMessage)
  }

  /** A stranger's flood of messages would cost the hosts their turn. */
  private isTalkative(socket: Socket): boolean {
    const stranger = this.strangers.get(socket)
    if (!stranger) return socket.destroyed
    stranger.messages += 1
    return stranger.messages > MAX_STRANGER_MESSAGES
  }

  private watch(socket: Socket): void {
    const { openWithinMs = OPEN_WITHIN_MS, maxStrangers = MAX_STRANGERS } = this.limits
    if (this.strangers.size >= maxStrangers) {
      const [oldest] = this.strangers.keys()
      oldest?.destroy()
      if (oldest) this.forget(oldest)
    }
    const timer = setTimeout(() => socket.destroy(), openWithinMs)
    timer.unref()
    this.strangers.set(socket, { timer, messages: 0 })
    socket.on('close', () => this.forget(socket))
  }

  private forget(socket: Socket): void {
    clearTimeout(this.strangers.get(socket)?.timer)
    this.strangers.delete(socket)
  }
}

const isBeat = (pattern: unknown): boolean =>
  typeof pattern === 'object' &&
  pattern !== null &&
  (pattern as { session?: unknown }).session === patterns.heartbeat.session

/** The connection that a message came over. */
export const socketOf = (context: TcpContext): Socket => context.getSocketRef().netSocket
