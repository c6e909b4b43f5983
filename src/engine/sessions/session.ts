import type { Socket } from 'node:net'
import { Subject } from 'rxjs'
import type { CommandMessage, GoodbyeMessage, Hello, InventoryItem, StreamMessage } from '../../wire/session.js'
import type { Admission } from './gate.js'
import type { Peer } from './peer.js'

/** Things one host may show; what is above it is a faulty peer. */
const MAX_INVENTORY = 100_000

export interface SessionLimits {
  /** Commands that may be unfinished. */
  readonly window: number
  readonly heartbeatMs: number
  readonly silenceMs: number
}

/** Ended commands after which the agent is told how far it may forget. */
const FLOOR_EVERY = 500

/** One host's connection while it lasts: the stream of commands down, and what was heard of it. */
export class Session {
  readonly stream = new Subject<StreamMessage>()
  readonly inFlight = new Set<string>()
  /** Null once the inventory was compared: from then on commands are sent. */
  private collecting: InventoryItem[] | null = []
  private lastHeardMs = performance.now()
  private ended = false
  private sinceFloor = 0
  private highestSeq: number

  constructor(
    readonly admission: Admission,
    readonly peer: Peer,
    readonly hello: Hello,
    readonly socket: Socket,
    /** As its welcome told: a setting that changes counts from the next session on. */
    readonly limits: SessionLimits,
  ) {
    this.highestSeq = hello.seq
  }

  get hostId(): string {
    return this.admission.hostId
  }

  get serial(): string {
    return this.peer.serial
  }

  get epoch(): number {
    return this.admission.epoch
  }

  /** Highest command number that this host has seen. */
  get seq(): number {
    return this.highestSeq
  }

  get ready(): boolean {
    return this.collecting === null
  }

  get open(): boolean {
    return !this.ended
  }

  get room(): number {
    return this.ready && this.open ? this.limits.window - this.inFlight.size : 0
  }

  /** By the monotonic clock of this process. */
  get silentMs(): number {
    return performance.now() - this.lastHeardMs
  }

  heard(): void {
    this.lastHeardMs = performance.now()
  }

  /** @returns every item once the last page is there, else null */
  collect(items: readonly InventoryItem[], last: boolean): readonly InventoryItem[] | null {
    if (!this.collecting) return null
    if (this.collecting.length + items.length > MAX_INVENTORY)
      throw new Error(`an inventory of over ${MAX_INVENTORY} items`)
    this.collecting.push(...items)
    return last ? this.collecting : null
  }

  compared(): void {
    this.collecting = null
  }

  /** @returns whether it is time to tell the agent the floor */
  settled(commandIds: readonly string[]): boolean {
    for (const id of commandIds) this.inFlight.delete(id)
    this.sinceFloor += commandIds.length
    if (this.sinceFloor < FLOOR_EVERY) return false
    this.sinceFloor = 0
    return true
  }

  tellFloor(floor: number): void {
    if (!this.ended) this.stream.next({ type: 'floor', floor })
  }

  send(command: CommandMessage): void {
    if (this.ended) return
    this.inFlight.add(command.id)
    this.highestSeq = Math.max(this.highestSeq, command.seq)
    this.stream.next(command)
  }

  /** Says why, ends the stream and then the connection; further calls do nothing. */
  end(reason: GoodbyeMessage['reason'] | null, detail?: string): void {
    if (this.ended) return
    this.ended = true
    if (reason) this.stream.next({ type: 'goodbye', reason, detail })
    this.stream.complete()
    // the goodbye is written in the next tick; a peer that does not read it is cut off
    setImmediate(() => this.socket.end())
    setTimeout(() => this.socket.destroy(), 1_000).unref()
  }
}
