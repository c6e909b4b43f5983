import { Injectable, Logger } from '@nestjs/common'
import { type Hello, PROTOCOL, type Refusal } from '../../wire/session.js'
import { renumberAfter } from '../commands/commands.queries.js'
import { Settlement } from '../commands/settlement.js'
import { Events } from '../events/events.service.js'
import { Database, prepared, type Tx } from '../platform/database.js'
import { Incarnations } from '../platform/incarnations.js'
import { ReplicaIdentity } from '../platform/replica-identity.js'
import { type Admission, refuse } from '../sessions/gate.js'
import type { Peer } from '../sessions/peer.js'
import { HostStatusChange, hostSubject, type StatusRow } from './host-status.js'

interface KnownHost extends StatusRow {
  readonly agent_id: string | null
  readonly session_epoch: number
  readonly last_seq: number
  readonly owner_alive: boolean
  readonly incarnation: number
  readonly incarnation_id: string
  readonly incarnation_since: Date
  /** Null: the certificate is not known. */
  readonly certificate_of: string | null
  readonly revoked: boolean
  readonly expired: boolean
  readonly floor: number
}

/** The host has seen more of this life of the database than the database has. */
class Rewound {
  constructor(readonly known: KnownHost) {}
}

/**
 * Lets a host in: knows it by its certificate, raises the epoch, takes ownership, and puts back into the queue what its
 * last session left. A host that has seen more than the database knows proves that the database was put back.
 */
@Injectable()
export class HostAdmission {
  private readonly log = new Logger(HostAdmission.name)

  constructor(
    private readonly database: Database,
    private readonly replica: ReplicaIdentity,
    private readonly incarnations: Incarnations,
    private readonly status: HostStatusChange,
    private readonly settlement: Settlement,
    private readonly events: Events,
  ) {}

  greet(hello: Hello): Refusal | null {
    if (hello.protocol >= PROTOCOL.oldest) return null
    return refuse(
      'protocol-unsupported',
      `the agent on ${hello.facts.hostname} speaks protocol ${hello.protocol}, this engine ${PROTOCOL.oldest} to ${PROTOCOL.current}: update the agent`,
    )
  }

  /** @param hello that was greeted */
  async admit(peer: Peer, hello: Hello): Promise<Admission | Refusal> {
    const answer = await this.database.transaction((tx) => this.open(tx, peer, hello))
    if (!(answer instanceof Rewound)) return answer
    await this.beginNewLife(hello, answer)
    const again = await this.database.transaction((tx) => this.open(tx, peer, hello))
    if (again instanceof Rewound) throw new Error('the database was put back while a host was let in')
    return again
  }

  private async beginNewLife(hello: Hello, { known }: Rewound): Promise<void> {
    const reason = `host ${known.name} saw epoch ${hello.epoch} and command ${hello.seq}, the database knows ${known.session_epoch} and ${known.last_seq}`
    this.log.error({ reason }, 'the database was put back to an earlier state')
    const draft = { type: 'database.incarnation.begun', subject: 'database/incarnation', payload: { reason } } as const
    // together: readers of events look for it as soon as they meet the new incarnation
    await this.database.ambient(async (tx) => {
      if (await this.incarnations.begin(known.incarnation, reason)) await this.events.append(tx, [draft])
    })
  }

  private async open(tx: Tx, peer: Peer, hello: Hello): Promise<Admission | Refusal | Rewound> {
    const host = await this.find(tx, peer)
    if (!host) return refuse('removed', 'this host was removed from the plane: join it anew')
    const fault = faultOf(host)
    if (fault) return fault
    if (hello.incarnation === host.incarnation_id && (hello.epoch > host.session_epoch || hello.seq > host.last_seq)) {
      return new Rewound(host)
    }
    if (host.certificate_of === null && !(await this.adopt(tx, host, peer))) {
      return refuse('certificate-unknown', `the plane has not issued this certificate of ${host.name}: join it anew`)
    }
    const reinstalled = host.agent_id !== null && host.agent_id !== hello.agentId
    if (reinstalled && host.connected && host.owner_alive) {
      return refuse(
        'name-taken',
        `host ${host.name} has a session of another agent: one of the two has a copy of its state directory`,
      )
    }
    if (reinstalled) await this.events.append(tx, [hostEvent('hosts.host.reinstalled', host)])
    if (hello.seq > host.last_seq) await this.goOnAfter(tx, host.id, hello.seq)
    const epoch = Math.max(host.session_epoch, hello.epoch) + 1
    await this.record(tx, host.id, epoch, hello)
    await this.status.apply(tx, { ...host, connected: true }, 'opened', null)
    return { hostId: host.id, hostName: host.name, epoch, incarnation: host.incarnation_id, floor: host.floor }
  }

  private async find(tx: Tx, { hostId, serial }: Peer): Promise<KnownHost | null> {
    const [row] = await prepared<KnownHost>(
      tx,
      'admission_find_2',
      `SELECT h.id, h.name, h.status, h.connected, h.agent_id, h.session_epoch, s.last_seq,
         i.number AS incarnation, i.id AS incarnation_id, i.started_at AS incarnation_since,
         c.host_id AS certificate_of, c.revoked_at IS NOT NULL AS revoked, coalesce(c.not_after <= now(), false) AS expired,
         EXISTS (SELECT FROM replicas r WHERE r.id = h.owner_replica_id AND r.lease_until > now()) AS owner_alive,
         coalesce((SELECT min(seq) - 1 FROM commands WHERE host_id = h.id AND finished_at IS NULL), s.last_seq) AS floor
       FROM hosts h JOIN host_sequences s ON s.host_id = h.id
       CROSS JOIN (SELECT number, id, started_at FROM incarnations ORDER BY number DESC LIMIT 1) i
       LEFT JOIN host_certificates c ON c.serial = $2
       WHERE h.id = $1 FOR NO KEY UPDATE OF h`,
      [hostId, serial],
    )
    return row ?? null
  }

  /** Ours, and not in the list: that can be only because the time in which it was issued is lost. */
  private async adopt(tx: Tx, host: KnownHost, peer: Peer): Promise<boolean> {
    if (host.incarnation === 1 || peer.notBefore >= host.incarnation_since) return false
    if (peer.notAfter.getTime() <= Date.now()) return false
    await tx.query(
      `INSERT INTO host_certificates (serial, host_id, fingerprint, not_before, not_after) VALUES ($1, $2, $3, $4, $5)`,
      [peer.serial, host.id, peer.fingerprint, peer.notBefore, peer.notAfter],
    )
    await this.events.append(tx, [hostEvent('hosts.certificate.adopted', host)])
    return true
  }

  /** Takes the host over, and puts back into the queue what its last session left; what was permitted stays so. */
  private async record(tx: Tx, hostId: string, epoch: number, hello: Hello): Promise<void> {
    await prepared(
      tx,
      'admission_record',
      `WITH requeued AS (
         UPDATE commands SET state = 'queued'
         WHERE host_id = $1 AND finished_at IS NULL AND state IN ('dispatched', 'running'))
       UPDATE hosts SET session_epoch = $2, owner_replica_id = $3, connected = true, session_opened_at = now(), updated_at = now(),
         agent_id = $4, agent_version = $5, protocol = $6, boot_id = $7, kinds = $8, capabilities = $9, facts = $10
       WHERE id = $1`,
      [
        hostId,
        epoch,
        this.replica.id,
        hello.agentId,
        hello.agentVersion,
        hello.protocol,
        hello.bootId,
        hello.kinds,
        hello.capabilities,
        JSON.stringify(hello.facts),
      ],
    )
  }

  /** Whether a once command of the lost history ran cannot be known: it ends as that. */
  private async goOnAfter(tx: Tx, hostId: string, seenSeq: number): Promise<void> {
    for (const id of await renumberAfter(tx, hostId, seenSeq)) {
      await this.settlement.end(tx, id, {
        type: 'interrupted',
        message: 'the database was put back to an earlier state: whether this ran cannot be known',
      })
    }
  }
}

const hostEvent = (
  type: 'hosts.certificate.adopted' | 'hosts.host.reinstalled',
  host: { id: string; name: string },
) => ({
  type,
  subject: hostSubject(host.id),
  hostId: host.id,
  payload: { name: host.name },
})

/** What is wrong with a certificate that the plane has issued. */
function faultOf({ id, name, certificate_of: of, revoked, expired }: KnownHost): Refusal | null {
  if (of !== null && of !== id) return refuse('certificate-foreign', `the certificate is not of ${name}`)
  if (revoked) return refuse('certificate-revoked', `the certificate of ${name} was revoked: join the plane anew`)
  if (expired) return refuse('certificate-expired', `the certificate of ${name} has expired: join the plane anew`)
  return null
}

/** @returns the new host's id; null when the name is taken */
export async function insertHost(tx: Tx, name: string, labels: Record<string, string>): Promise<string | null> {
  const [row] = await tx.query(
    `WITH h AS (INSERT INTO hosts (name, labels) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING RETURNING id),
          s AS (INSERT INTO host_sequences (host_id) SELECT id FROM h)
     SELECT id FROM h`,
    [name, JSON.stringify(labels)],
  )
  return row?.id ?? null
}
