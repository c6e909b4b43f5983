import type { Server as NetServer, Socket } from 'node:net'
import type { SecureContextOptions, TLSSocket, TlsOptions, Server as TlsServer } from 'node:tls'
import { ServerTCP, TcpContext } from '@nestjs/microservices'
import { FrameSocket } from './frame-socket.js'
import { type HandshakeLimits, Handshakes } from './handshakes.js'
import { MessageRate } from './message-rate.js'

export interface SessionServerOptions {
  readonly host: string
  readonly port: number
  readonly tls: TlsOptions
  readonly handshakes?: Partial<HandshakeLimits>
  /** A connection that has not opened a session after this long is closed. */
  readonly openWithinMs?: number
  /** Connections without a session, at most; the oldest of them goes when another comes. */
  readonly maxStrangers?: number
}

const OPEN_WITHIN_MS = 5_000
const MAX_STRANGERS = 512
/** Without a session there is nothing to say but a hello, and perhaps another one. */
const MAX_STRANGER_MESSAGES = 8
const KEEP_ALIVE_MS = 15_000

/** Answers whatever happens. */
export type DirectCall = (socket: Socket, payload: unknown) => object | Promise<object>

/**
 * Nest's TCP transport on TLS, with limits: who has no certificate of a host comes no further than the handshake, those
 * without a session are few and short-lived, and no peer's fault is anybody else's.
 */
export class SessionServer extends ServerTCP {
  private readonly strangers = new Map<Socket, { readonly timer: NodeJS.Timeout; messages: number }>()
  private readonly rates = new WeakMap<Socket, MessageRate>()
  private readonly handshakes: Handshakes
  /** Since the start. */
  readonly secured = { full: 0, resumed: 0 }

  private readonly direct = new Map<string, DirectCall>()
  /** Set by the controller: messages of one connection. */
  perSecond: () => number = () => Number.POSITIVE_INFINITY

  constructor(private readonly limits: SessionServerOptions) {
    super({
      host: limits.host,
      port: limits.port,
      socketClass: FrameSocket,
      tlsOptions: { ...limits.tls, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS },
    })
    this.handshakes = this.standBeforeTls(limits.handshakes)
  }

  /** Connections that wait for their handshakes. */
  get waiting(): number {
    return this.handshakes.waiting
  }

  /** The port that was bound, also where 0 was asked for. */
  get address(): { address: string; port: number } {
    const bound = this.unwrap<NetServer>().address()
    if (bound === null || typeof bound === 'string') throw new Error('the transport does not listen')
    return bound
  }

  /** @param crowded whether those who have come in are too many for others to begin */
  holdBackWhile(crowded: () => boolean): void {
    this.handshakes.crowded = crowded
  }

  /** Those inside are fewer than before. */
  proceed(): void {
    this.handshakes.proceed()
  }

  /** For connections from now on. */
  secureWith(options: SecureContextOptions): void {
    this.unwrap<TlsServer>().setSecureContext(options)
  }

  override bindHandler(socket: Socket): void {
    socket.on('error', () => undefined)
    this.watch(socket)
    super.bindHandler(socket)
  }

  /** What hosts say all the time: Nest's pipeline costs as much as everything else that is done about it (ADR 17). */
  answerDirectly(pattern: object, call: DirectCall): void {
    this.direct.set(keyOf(pattern), call)
  }

  /** The peer has a session: it is no stranger any more. */
  admitted(socket: Socket): void {
    this.forget(socket)
    this.rates.set(socket, new MessageRate(socket))
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
    this.rates.get(socket.netSocket)?.count(this.perSecond())
    const call = this.direct.get(keyOf(packet.pattern))
    if (!call) return super.handleMessage(socket, rawMessage)
    const answer = call(socket.netSocket, packet.data)
    // what needs no waiting for is answered at once
    const response = answer instanceof Promise ? await answer : answer
    socket.sendMessage({ response, isDisposed: true, id: packet.id })
  }

  /** Node's own listener is what makes a connection a TLS one: it is called when the time has come. */
  private standBeforeTls(limits: Partial<HandshakeLimits> | undefined): Handshakes {
    const server = this.unwrap<TlsServer>()
    const [secure] = server.listeners('connection') as ((raw: Socket) => void)[]
    if (!secure) throw new Error('the TLS server does not listen to connections')
    const handshakes = new Handshakes((raw) => secure.call(server, raw), limits)
    server.removeAllListeners('connection')
    server.on('connection', (raw: Socket) => handshakes.arrived(raw))
    server.on('secureConnection', (socket: TLSSocket) => {
      this.secured[socket.isSessionReused() ? 'resumed' : 'full'] += 1
      handshakes.ended(socket)
    })
    server.on('tlsClientError', (error) => this.handleError(error))
    return handshakes
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

/** Of a pattern with one field, as all are. */
function keyOf(pattern: unknown): string {
  if (typeof pattern !== 'object' || pattern === null) return ''
  const [field, ...others] = Object.entries(pattern)
  return field && others.length === 0 ? field.join(' ') : ''
}

/** The connection that a message came over. */
export const socketOf = (context: TcpContext): Socket => context.getSocketRef().netSocket
