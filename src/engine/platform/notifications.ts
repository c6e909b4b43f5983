import { setTimeout as pause } from 'node:timers/promises'
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common'
import pg from 'pg'
import { Database } from './database.js'

/** Called with what was notified, or with null when something may have been missed: look at the tables. */
type Listener = (payload: string | null) => void

const RECONNECT_MS = 1_000
/** Between two statements that notify. */
const GATHER_MS = 5
/** Nothing is sent on it for long: only the keepalive finds a server that is gone without a word. */
const TIMES = { connectionTimeoutMillis: 3_000, keepAliveInitialDelayMillis: 10_000 } as const
/** Postgres refuses payloads of 8,000 bytes and more. */
const MAX_PAYLOAD_BYTES = 7_500

/**
 * LISTEN on a connection of its own that is made anew when it breaks, and NOTIFY that gathers: any number of wake-ups
 * within one round trip cost one statement, outside the transactions that cause them.
 */
@Injectable()
export class Notifications implements OnApplicationShutdown {
  private readonly log = new Logger(Notifications.name)
  private readonly listeners = new Map<string, Set<Listener>>()
  private readonly outgoing = new Map<string, Set<string>>()
  private client: pg.Client | null = null
  private timer: NodeJS.Timeout | null = null
  private sending = false
  private stopped = false

  constructor(
    private readonly database: Database,
    private readonly connection: pg.ClientConfig,
  ) {}

  listen(channel: string, listener: Listener): void {
    const known = this.listeners.get(channel)
    if (known) known.add(listener)
    else {
      this.listeners.set(channel, new Set([listener]))
      this.client?.query(`LISTEN ${channel}`).catch(() => this.reconnect())
    }
  }

  /** Tells every replica, soon. A lost one costs the listeners' polling interval, never work. */
  notify(channel: string, payload: string): void {
    const gathered = this.outgoing.get(channel)
    if (gathered) gathered.add(payload)
    else this.outgoing.set(channel, new Set([payload]))
    void this.flush()
  }

  async start(): Promise<void> {
    try {
      await this.connect()
    } catch (error) {
      this.log.warn({ err: error }, 'cannot listen for notifications: trying again')
      this.reconnect()
    }
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true
    if (this.timer) clearTimeout(this.timer)
    await this.client?.end().catch(() => undefined)
  }

  private async connect(): Promise<void> {
    const client = new pg.Client({ ...this.connection, ...TIMES, keepAlive: true })
    client.on('error', () => this.reconnect())
    client.on('end', () => this.reconnect())
    client.on('notification', ({ channel, payload }) => this.deliver(channel, payload ?? ''))
    try {
      await client.connect()
      for (const channel of this.listeners.keys()) await client.query(`LISTEN ${channel}`)
    } catch (error) {
      client.removeAllListeners('end')
      await client.end().catch(() => undefined)
      throw error
    }
    this.client = client
    for (const listeners of this.listeners.values()) for (const listener of listeners) listener(null)
  }

  private reconnect(): void {
    this.client?.removeAllListeners('end')
    this.client?.end().catch(() => undefined)
    this.client = null
    if (this.stopped || this.timer) return
    this.timer = setTimeout(() => {
      this.timer = null
      void this.start()
    }, RECONNECT_MS)
    this.timer.unref()
  }

  private deliver(channel: string, payload: string): void {
    for (const listener of this.listeners.get(channel) ?? []) {
      if (payload === '*') listener(null)
      else for (const part of payload.split(',')) listener(part)
    }
  }

  private async flush(): Promise<void> {
    if (this.sending) return
    this.sending = true
    try {
      while (this.outgoing.size > 0 && !this.stopped) {
        const batch = [...this.outgoing].map(([channel, parts]) => [channel, joined(parts)] as const)
        this.outgoing.clear()
        await this.database.dataSource.query('SELECT pg_notify(c, p) FROM unnest($1::text[], $2::text[]) AS n(c, p)', [
          batch.map(([channel]) => channel),
          batch.map(([, payload]) => payload),
        ])
        // the first goes at once; under load those that follow share a statement
        await pause(GATHER_MS)
      }
    } catch (error) {
      this.log.debug({ err: error }, 'a notification was lost: polling will find the work')
    } finally {
      this.sending = false
    }
  }
}

function joined(parts: ReadonlySet<string>): string {
  const text = [...parts].join(',')
  return Buffer.byteLength(text) > MAX_PAYLOAD_BYTES ? '*' : text
}
