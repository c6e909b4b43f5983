import { randomBytes, randomUUID } from 'node:crypto'
import type { Logger } from '../../log/logger.js'
import type { Database, Tx } from '../platform/database.js'
import type { Notifications } from '../platform/notifications.js'
import { sealedPlace, ticketKeys } from '../platform/sealed-columns.js'
import type { Sealer } from '../platform/sealing.js'

const CHANNEL = 'keelson_ticket_keys'
/** As Node takes them: a name, a key that signs and one that seals. */
const BYTES = 48
const LOOK_MS = 60_000

const placeOf = (id: string): string => sealedPlace(ticketKeys, [id])

/**
 * The key of TLS session tickets, the same for all replicas: an agent resumes with whichever it reaches. Who has it could
 * pass for any host, so it is sealed, and replaced by a schedule.
 */
export class TicketKeys {
  private id = ''
  private key: Buffer = Buffer.alloc(0)
  private timer: NodeJS.Timeout | null = null
  private readonly listeners = new Set<(key: Buffer) => void>()

  private constructor(
    private readonly database: Database,
    private readonly sealer: Sealer,
    private readonly notifications: Notifications,
  ) {}

  static async open(database: Database, sealer: Sealer, notifications: Notifications): Promise<TicketKeys> {
    const keys = new TicketKeys(database, sealer, notifications)
    await keys.rotate(Number.POSITIVE_INFINITY)
    await keys.reload()
    return keys
  }

  get current(): Buffer {
    return this.key
  }

  onChange(listener: (key: Buffer) => void): void {
    this.listeners.add(listener)
  }

  start(logger: Pick<Logger, 'warn'>): void {
    const look = () =>
      void this.reload().catch((err: unknown) => logger.warn({ err }, 'the ticket keys cannot be looked at'))
    this.notifications.listen(CHANNEL, look)
    this.timer = setInterval(look, LOOK_MS)
    this.timer.unref()
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer)
  }

  /** Replaces a key that is older; tickets sealed with it are worth a full handshake, nothing else. */
  async rotate(olderThanMs: number): Promise<void> {
    const replaced = await this.database.transaction(async (tx) => {
      await tx.query('LOCK TABLE tls_ticket_keys IN SHARE ROW EXCLUSIVE MODE')
      const [newest] = await tx.query(
        'SELECT extract(epoch FROM now() - created_at) * 1000 AS age FROM tls_ticket_keys ORDER BY created_at DESC LIMIT 1',
      )
      if (newest && Number(newest.age) <= olderThanMs) return false
      await this.insert(tx)
      return true
    })
    if (replaced) this.notifications.notify(CHANNEL, 'rotated')
  }

  private async insert(tx: Tx): Promise<void> {
    const id = randomUUID()
    await tx.query('DELETE FROM tls_ticket_keys')
    await tx.query('INSERT INTO tls_ticket_keys (id, sealed) VALUES ($1, $2)', [
      id,
      this.sealer.seal(randomBytes(BYTES), placeOf(id)),
    ])
  }

  private async reload(): Promise<void> {
    const [row] = await this.database.query<{ id: string; sealed: string }>(
      'identity_ticket_key',
      'SELECT id, sealed FROM tls_ticket_keys ORDER BY created_at DESC LIMIT 1',
    )
    if (!row || row.id === this.id) return
    this.key = this.sealer.open(row.sealed, placeOf(row.id))
    this.id = row.id
    for (const listener of this.listeners) listener(this.key)
  }
}
