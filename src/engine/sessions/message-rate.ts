import type { Socket } from 'node:net'

/** How far ahead of its rate a peer may be: an inventory's pages, a burst of reports. */
const BURST_MS = 1_000

/**
 * Messages of one connection, a second. Who is faster is not cut off but read later: what is not read waits with its
 * sender. What one read of the socket held is still answered, so the bound holds on the average.
 */
export class MessageRate {
  /** By the clock, when all that was read would have been due. */
  private dueMs = performance.now()

  constructor(private readonly socket: Socket) {}

  count(perSecond: number): void {
    const now = performance.now()
    this.dueMs = Math.max(this.dueMs, now - BURST_MS) + 1_000 / perSecond
    const aheadMs = this.dueMs - now
    if (aheadMs <= 0 || this.socket.isPaused()) return
    this.socket.pause()
    setTimeout(() => this.socket.resume(), aheadMs).unref()
  }
}
