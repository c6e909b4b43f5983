import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common'
import type { Hello, InventoryItem, Observation, Refusal } from '../../wire/session.js'
import { Database, type Tx } from '../platform/database.js'
import { ReplicaIdentity } from '../platform/replica-identity.js'
import { type Admission, Gate, type HostGate, type Known, type Strayed } from '../sessions/gate.js'
import type { Peer } from '../sessions/peer.js'
import { HostAdmission } from './admission.js'
import { HostStatusChange, type StatusRow } from './host-status.js'
import { Inventory } from './inventory.js'
import { OwnThings } from './own-things.js'
import { SubjectOwners } from './subject-owners.js'

interface Lost {
  readonly hostId: string
  readonly epoch: number
  readonly reason: string
}

const RETRY_MS = 1_000
/** Other replicas renew within this time after an outage. */
const SETTLING_MS = 4_000
const BATCH = 200

/** What sessions tell of hosts, written down. A loss is written even when the database is away at first. */
@Injectable()
export class HostLife implements HostGate, OnApplicationShutdown {
  private readonly log = new Logger(HostLife.name)
  private lostHosts: Lost[] = []
  private writing: Promise<void> | null = null
  private stopped = false

  constructor(
    gate: Gate,
    private readonly admission: HostAdmission,
    private readonly inventories: Inventory,
    private readonly database: Database,
    private readonly status: HostStatusChange,
    private readonly replica: ReplicaIdentity,
    private readonly owners: SubjectOwners,
    private readonly ownThings: OwnThings,
  ) {
    gate.register(this)
  }

  greet(hello: Hello): Refusal | null {
    return this.admission.greet(hello)
  }

  admit(peer: Peer, hello: Hello): Promise<Admission | Refusal> {
    return this.admission.admit(peer, hello)
  }

  inventory(hostId: string, epoch: number, items: readonly InventoryItem[]): Promise<void> {
    return this.inventories.accept(hostId, epoch, items)
  }

  observe(hostId: string, epoch: number, observations: readonly Observation[]): Promise<void> {
    return this.inventories.observe(hostId, epoch, observations)
  }

  strayed(sessions: readonly Known[]): Promise<readonly Strayed[]> {
    return this.database.query<Strayed>(
      'hosts_strayed_2',
      `SELECT s.id AS "hostId", CASE WHEN h.id IS NULL THEN 'removed' WHEN c.revoked_at IS NOT NULL THEN 'revoked'
         WHEN c.not_after <= now() THEN 'expired' ELSE 'fenced' END AS why
       FROM unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[]) AS s(id, epoch, seq, serial)
       LEFT JOIN hosts h ON h.id = s.id LEFT JOIN host_sequences q ON q.host_id = s.id
       LEFT JOIN host_certificates c ON c.serial = s.serial AND c.host_id = s.id
       WHERE NOT coalesce(h.session_epoch = s.epoch AND h.connected AND q.last_seq >= s.seq
                          AND c.revoked_at IS NULL AND c.not_after > now(), false)`,
      [
        sessions.map((s) => s.hostId),
        sessions.map((s) => s.epoch),
        sessions.map((s) => s.seq),
        sessions.map((s) => s.serial),
      ],
    )
  }

  async closed(hostId: string, epoch: number, reason: string): Promise<void> {
    await this.database.transaction((tx) =>
      this.end(tx, { hostId, epoch, reason: `its agent said goodbye: ${reason}` }, 'closed'),
    )
  }

  async lost(hostId: string, epoch: number, reason: string): Promise<void> {
    this.lostHosts.push({ hostId, epoch, reason })
    this.writing ??= this.writeLost().finally(() => {
      this.writing = null
    })
    await this.writing
  }

  /** Whatever session the host has is none any more; it is ended afterwards. */
  async cutOff(tx: Tx, hostId: string, reason: string): Promise<void> {
    const [host] = await tx.query('SELECT session_epoch FROM hosts WHERE id = $1', [hostId])
    if (host) await this.end(tx, { hostId, epoch: host.session_epoch, reason }, 'lost')
  }

  /** Hosts that a dead replica owned, or that did not come back after the plane was away: silence, not death. */
  async sweepOwnerless(graceMs: number): Promise<void> {
    // leases of others are judged only by one who has kept its own: after an outage all of them look dead at first
    if (this.replica.unbrokenMs < graceMs + SETTLING_MS) return
    const rows: { id: string; session_epoch: number }[] = await this.database.dataSource.query(
      `SELECT h.id, h.session_epoch FROM hosts h
       WHERE h.connected AND h.owner_replica_id IS DISTINCT FROM $1
         AND NOT EXISTS (SELECT FROM replicas r WHERE r.id = h.owner_replica_id
                         AND r.lease_until > now() - $2::float8 * interval '1 millisecond')
       LIMIT 1000`,
      [this.replica.id, graceMs],
    )
    for (const row of rows) void this.lost(row.id, row.session_epoch, 'the replica that held its session is gone')
    await this.writing
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true
    await this.writing
  }

  private async writeLost(): Promise<void> {
    while (this.lostHosts.length > 0) {
      const batch = this.lostHosts.slice(0, BATCH)
      try {
        await this.database.transaction(async (tx) => {
          // in one order everywhere: two replicas that sweep at once must not wait for each other
          const ordered = [...batch].sort((a, b) => (a.hostId < b.hostId ? -1 : 1))
          for (const lost of ordered) await this.end(tx, lost, 'lost')
        })
        this.lostHosts = this.lostHosts.slice(batch.length)
      } catch (error) {
        this.log.warn({ err: error }, 'cannot write that hosts are lost: trying again')
        if (this.stopped) return
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
      }
    }
  }

  /** Only of the session that ended: the host may have opened another meanwhile. */
  private async end(tx: Tx, { hostId, epoch, reason }: Lost, occurrence: 'lost' | 'closed'): Promise<void> {
    const [rows] = await tx.query(
      `UPDATE hosts SET connected = false, updated_at = now() WHERE id = $1 AND session_epoch = $2 AND connected
       RETURNING id, name, status, connected`,
      [hostId, epoch],
    )
    const host: StatusRow | undefined = rows[0]
    if (!host) return
    await this.status.apply(tx, host, occurrence, reason)
    for (const owner of [...this.owners.all(), ...this.ownThings.all()]) await owner.unseen(tx, hostId)
  }
}
