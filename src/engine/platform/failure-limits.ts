import { createHash } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { BoundedCounters } from './bounded-counters.js'
import { TooMany } from './errors.js'
import { Settings } from './settings.js'

const WINDOW_MS = 60_000
const MOST_GOOD = 10_000

/**
 * Credentials that were not good, by address: whoever guesses is not even looked up any more. What was good lately passes
 * all the same, since behind one address there may be many, and one of them must not lock out the others.
 */
@Injectable()
export class FailureLimits {
  private readonly counters = new BoundedCounters()
  /** By their hash; the oldest first. */
  private readonly good = new Set<string>()

  constructor(private readonly settings: Settings) {}

  /** @throws TooMany */
  requireRoom(network: string, credentials: string): void {
    const seconds = this.counters.fullFor(network, this.limit)
    if (seconds === null || this.good.has(hashOf(credentials))) return
    throw new TooMany('too many credentials from this address were not good', seconds)
  }

  succeeded(credentials: string): void {
    const hash = hashOf(credentials)
    if (this.good.has(hash)) return
    const [oldest] = this.good
    if (oldest !== undefined && this.good.size >= MOST_GOOD) this.good.delete(oldest)
    this.good.add(hash)
  }

  failed(network: string, credentials: string): void {
    this.good.delete(hashOf(credentials))
    this.counters.hit(network, WINDOW_MS, this.limit)
  }

  private get limit(): number {
    return this.settings.get('limits.failuresPerMinute')
  }
}

const hashOf = (credentials: string): string => createHash('sha256').update(credentials).digest('base64')
