import { once } from 'node:events'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { ClientTCP } from '@nestjs/microservices'
import { MAX_FRAME_CHARS, type Refusal } from '../wire/session.js'
import type { EngineAddress } from './config.js'
import { RefusedError } from './refused-error.js'

const MAX_SEND_BUFFER_BYTES = 4 * 1024 * 1024
const INCOMPLETE_MESSAGE_MS = 5000
const KEEPALIVE_MS = 15_000

/** How a connection is secured: who this host is, and the session that it may resume. */
export interface DialCredentials {
  readonly tls: ConnectionOptions
  readonly ticket: Buffer | null
  /** What the next connection may resume. */
  readonly onTicket: (ticket: Buffer) => void
}

export interface StreamListener {
  next(message: unknown): void
  end(error?: Error): void
}

/** Nest's client for one connection: it is never used again after its socket closed, so it never reconnects by itself. */
class OneConnectionClient extends ClientTCP {
  lastError: Error | null = null

  /** Nest would log it; the session that ends says it better. The socket also emits plain strings. */
  override handleError(error: unknown): void {
    this.lastError = error instanceof Error ? error : new Error(String(error))
  }
}

/** A TLS connection to an engine, where every call has a timeout and silence can be measured. */
export class EngineConnection {
  /** When anything last came from the engine, in monotonic milliseconds. */
  lastHeardMs = performance.now()
  private open = true

  private constructor(
    private readonly client: OneConnectionClient,
    private readonly socket: TLSSocket,
    private readonly onClosed: (error: Error | null) => void,
  ) {
    socket.setNoDelay(true)
    socket.setKeepAlive(true, KEEPALIVE_MS)
    socket.on('close', () => this.close())
    socket.on('message', () => {
      this.lastHeardMs = performance.now()
    })
  }

  /** Whether it goes on from an earlier connection, which spares both sides most of the handshake. */
  get resumed(): boolean {
    return this.socket.isSessionReused()
  }

  static async dial(
    { host, port }: EngineAddress,
    { tls, ticket, onTicket }: DialCredentials,
    timeoutMs: number,
    signal: AbortSignal,
    onClosed: (error: Error | null) => void,
  ): Promise<EngineConnection> {
    const client = new OneConnectionClient({
      host,
      port,
      maxBufferSize: MAX_FRAME_CHARS,
      maxSendBufferSize: MAX_SEND_BUFFER_BYTES,
      incompleteMessageTimeout: INCOMPLETE_MESSAGE_MS,
      tlsOptions: { ...tls, ...(ticket ? { session: ticket } : {}) },
    })
    const connecting = client.connect()
    const socket = client.unwrap<TLSSocket>()
    socket.on('session', onTicket)
    const timer = setTimeout(() => socket.destroy(new Error(`no connection within ${timeoutMs} ms`)), timeoutMs).unref()
    const giveUp = () => socket.destroy(new Error('no longer wanted'))
    signal.addEventListener('abort', giveUp)
    try {
      await connecting
      // Nest says so when TCP is there: nobody has shown a certificate yet
      await secured(socket)
    } catch (error) {
      socket.destroy()
      throw asError(error)
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', giveUp)
    }
    return new EngineConnection(client, socket, onClosed)
  }

  /** @throws RefusedError when the engine answers with a refusal; Error on a timeout or when the connection closes. */
  call(pattern: object, data: object, timeoutMs: number): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (!this.open) return reject(new Error('the connection is closed'))
      const timer = setTimeout(() => {
        calling.unsubscribe()
        reject(new Error(`${JSON.stringify(pattern)} was not answered within ${timeoutMs} ms`))
      }, timeoutMs).unref()
      const settle = (work: () => void) => {
        clearTimeout(timer)
        work()
      }
      const calling = this.client.send<unknown, object>(pattern, data).subscribe({
        next: (answer) =>
          settle(() => (isRefusal(answer) ? reject(new RefusedError(answer.code, answer.message)) : resolve(answer))),
        error: (error: unknown) => settle(() => reject(asError(error))),
        complete: () => settle(() => resolve(undefined)),
      })
    })
  }

  stream(pattern: object, data: object, listener: StreamListener): void {
    this.client.send<unknown, object>(pattern, data).subscribe({
      next: (message) => listener.next(message),
      error: (error: unknown) => listener.end(asError(error)),
      complete: () => listener.end(),
    })
  }

  /** Neither reads nor writes until `thaw`, and closes nothing: as when the process is stopped. */
  freeze(): void {
    this.socket.cork()
    this.socket.pause()
  }

  thaw(): void {
    this.socket.uncork()
    this.socket.resume()
  }

  /** At once: what is in flight fails. */
  close(): void {
    if (!this.open) return
    this.open = false
    this.socket.destroy()
    this.client.close()
    this.onClosed(this.client.lastError)
  }
}

/** @throws Error when the other side is no engine of this plane */
async function secured(socket: TLSSocket): Promise<void> {
  if (socket.destroyed) throw socket.errored ?? new Error('the connection closed')
  const closed = new Promise<never>((_, reject) => {
    socket.once('close', () => reject(socket.errored ?? new Error('the connection closed before it was secured')))
  })
  await Promise.race([once(socket, 'secureConnect'), closed])
}

export function isRefusal(value: unknown): value is Refusal {
  return typeof value === 'object' && value !== null && (value as { refused?: unknown }).refused === true
}

/** Nest sends errors as plain objects or strings. */
function asError(error: unknown): Error {
  if (error instanceof Error) return error
  const message = typeof error === 'object' && error !== null ? (error as { message?: unknown }).message : error
  return new Error(String(message))
}
