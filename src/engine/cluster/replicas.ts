import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common'
import { Addresses } from '../platform/addresses.js'
import { Database } from '../platform/database.js'
import { ReplicaIdentity } from '../platform/replica-identity.js'

const RENEW_MS = 3_000
const LEASE_SECONDS = 10

/** This replica's lease, by the database's clock, and the addresses of all that live. */
@Injectable()
export class Replicas implements OnApplicationShutdown {
  private readonly log = new Logger(Replicas.name)
  private timer: NodeJS.Timeout | null = null

  constructor(
    private readonly database: Database,
    private readonly self: ReplicaIdentity,
    private readonly addresses: Addresses,
  ) {}

  async start(): Promise<void> {
    await this.renew()
    this.timer = setInterval(() => {
      this.renew().catch((error: unknown) =>
        this.log.warn({ err: error }, 'the lease of this replica cannot be renewed'),
      )
    }, RENEW_MS)
    this.timer.unref()
  }

  async onApplicationShutdown(): Promise<void> {
    if (this.timer) clearInterval(this.timer)
    await this.database.dataSource.query('DELETE FROM replicas WHERE id = $1', [this.self.id]).catch(() => undefined)
  }

  private async renew(): Promise<void> {
    const rows: { address: string }[] = await this.database.dataSource.query(
      `WITH own AS (
         INSERT INTO replicas (id, name, version, address, lease_until)
         VALUES ($1, $2, $3, $4, now() + $5 * interval '1 second')
         ON CONFLICT (id) DO UPDATE SET lease_until = now() + $5 * interval '1 second', address = $4)
       SELECT address FROM replicas WHERE id <> $1 AND lease_until > now()`,
      [this.self.id, this.self.name, this.self.version, this.addresses.own.join(','), LEASE_SECONDS],
    )
    this.self.renewed(LEASE_SECONDS * 1_000)
    this.addresses.learn(rows.flatMap((row) => row.address.split(',')))
  }
}
