import type { Socket } from 'node:net'
import { offersToResume } from './client-hello.js'

export interface HandshakeLimits {
  /** Between a connection and its first bytes, and again for the handshake. */
  readonly withinMs: number
  /** Connections that have said nothing, at most; the oldest of them goes when another comes. */
  readonly maxSilent: number
  /** Handshakes under way, at most; the others wait in line. */
  readonly atOnce: number
  /**
   * Handshakes that begin within a second, one after the other, of those who offer to resume a session: each takes a
   * millisecond or two of the one thread. Of the others a quarter as many, as each costs several.
   */
  readonly perSecond: number
  /** Places in the line; who finds none is sent away, and dials again. */
  readonly maxWaiting: number
  /** In line, at most: an agent gives a connection up after ten seconds, and a handshake with one that has gone is wasted. */
  readonly waitMs: number
}

const defaults: HandshakeLimits = {
  withinMs: 5_000,
  maxSilent: 1_024,
  atOnce: 256,
  perSecond: 300,
  maxWaiting: 4_096,
  waitMs: 5_000,
}
/** Begun in one turn of the event loop, a millisecond or two each: those who are inside already get their turns too. */
const BURST = 4
const COST_OF_FULL = 4
/** A handshake that takes longer gives its place up when others wait. */
const IMPATIENT_MS = 1_000
const MAKE_ROOM_MS = 250
/** TLS record type and major version of a ClientHello. */
const HANDSHAKE = 0x16
const TLS = 0x03
/** Far above a ClientHello with a ticket. */
const MAX_FIRST_BYTES = 16_384

/**
 * Stands before TLS, which costs 50 kB and milliseconds for each connection: nobody gets as far who says nothing, who speaks
 * something else, or while too many others are at it.
 */
export class Handshakes {
  private readonly silent = new Map<Socket, NodeJS.Timeout>()
  /** Since when they stand in it, in order: hosts that come back, by their offer, go before those who are new. */
  private readonly returning = new Map<Socket, number>()
  private readonly line = new Map<Socket, number>()
  private readonly underWay = new Map<Socket, { readonly timer: NodeJS.Timeout; readonly sinceMs: number }>()
  private readonly limits: HandshakeLimits
  private roomMaking: NodeJS.Timeout | null = null
  private turn: NodeJS.Immediate | null = null
  /** By the clock, when the next may begin; behind it, by no more than a burst. */
  private dueMs = 0
  private pacing: NodeJS.Timeout | null = null

  /** While it says so, nobody else begins: those who have shown their certificates wait to be let in. */
  crowded: () => boolean = () => false

  /** @param begin hands a connection to TLS */
  constructor(
    private readonly begin: (raw: Socket) => void,
    limits: Partial<HandshakeLimits> = {},
  ) {
    this.limits = { ...defaults, ...limits }
  }

  get waiting(): number {
    return this.returning.size + this.line.size
  }

  arrived(raw: Socket): void {
    raw.on('error', () => undefined)
    if (this.silent.size >= this.limits.maxSilent) {
      const [oldest] = this.silent.keys()
      oldest?.destroy()
      if (oldest) this.left(oldest)
    }
    const timer = setTimeout(() => raw.destroy(), this.limits.withinMs)
    timer.unref()
    this.silent.set(raw, timer)
    raw.once('close', () => this.left(raw))
    raw.once('data', (bytes: Buffer) => this.spoke(raw, bytes))
  }

  /** The handshake of the connection with this other end is over. */
  ended(remote: { readonly remoteAddress?: string; readonly remotePort?: number }): void {
    for (const raw of this.underWay.keys()) {
      if (raw.remotePort !== remote.remotePort || raw.remoteAddress !== remote.remoteAddress) continue
      this.left(raw)
      return
    }
  }

  private spoke(raw: Socket, bytes: Buffer): void {
    clearTimeout(this.silent.get(raw))
    this.silent.delete(raw)
    if (
      bytes[0] !== HANDSHAKE ||
      (bytes[1] ?? TLS) !== TLS ||
      bytes.length > MAX_FIRST_BYTES ||
      this.waiting >= this.limits.maxWaiting
    ) {
      raw.destroy()
      return
    }
    raw.pause()
    raw.unshift(bytes)
    const line = offersToResume(bytes) ? this.returning : this.line
    line.set(raw, performance.now())
    this.proceed()
  }

  /** There may be room. */
  proceed(): void {
    if (this.waiting > 0) this.turn ??= setImmediate(() => this.next())
  }

  private next(): void {
    this.turn = null
    this.sendAwayLate()
    for (let begun = 0; begun < BURST && this.hasRoom; begun += 1) {
      const line = this.returning.size > 0 ? this.returning : this.line
      const [raw] = line.keys()
      if (!raw || !this.mayBegin(line === this.line ? COST_OF_FULL : 1)) break
      line.delete(raw)
      const timer = setTimeout(() => raw.destroy(), this.limits.withinMs)
      timer.unref()
      this.underWay.set(raw, { timer, sinceMs: performance.now() })
      this.begin(raw)
    }
    if (this.waiting === 0) return
    this.roomMaking ??= setTimeout(() => this.makeRoom(), MAKE_ROOM_MS).unref()
    if (this.hasRoom && !this.pacing) this.proceed()
  }

  private get hasRoom(): boolean {
    return this.waiting > 0 && this.underWay.size < this.limits.atOnce && !this.crowded()
  }

  /** Nobody is served who has given up: under too much load that would be everybody, and nobody would get in. */
  private sendAwayLate(): void {
    for (const line of [this.returning, this.line]) {
      for (const [raw, sinceMs] of line) {
        if (performance.now() - sinceMs < this.limits.waitMs) break
        line.delete(raw)
        raw.destroy()
      }
    }
  }

  /** Counts one, or comes back when its time has come. */
  private mayBegin(cost: number): boolean {
    const everyMs = 1_000 / this.limits.perSecond
    const now = performance.now()
    const dueMs = Math.max(this.dueMs, now - BURST * everyMs)
    if (dueMs <= now) {
      this.dueMs = dueMs + everyMs * cost
      return true
    }
    this.pacing ??= setTimeout(() => {
      this.pacing = null
      this.proceed()
    }, dueMs - now).unref()
    return false
  }

  /** For those in line, of those who dawdle. */
  private makeRoom(): void {
    this.roomMaking = null
    const isFull = this.underWay.size >= this.limits.atOnce && !this.crowded()
    let wanted = isFull ? this.waiting : 0
    for (const [raw, { sinceMs }] of this.underWay) {
      if (wanted === 0 || performance.now() - sinceMs < IMPATIENT_MS) break
      raw.destroy()
      wanted -= 1
    }
    this.next()
  }

  private left(raw: Socket): void {
    clearTimeout(this.silent.get(raw))
    this.silent.delete(raw)
    this.returning.delete(raw)
    this.line.delete(raw)
    clearTimeout(this.underWay.get(raw)?.timer)
    if (this.underWay.delete(raw)) this.proceed()
  }
}
