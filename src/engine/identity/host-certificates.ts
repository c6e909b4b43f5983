import { Injectable } from '@nestjs/common'
import type { PublicKey } from '@peculiar/x509'
import type { CertificateGrant } from '../../wire/enrolment.js'
import { Events } from '../events/events.service.js'
import { Database, prepared, type Tx } from '../platform/database.js'
import { Forbidden, TooMany } from '../platform/errors.js'
import type { Listing } from '../platform/listing.js'
import { type Page, type PageQuery, page } from '../platform/pages.js'
import { Settings } from '../platform/settings.js'
import { Authorities } from './authorities.js'
import { keyToCertify } from './certificate-request.js'
import { factsOf, signHost } from './certificates.js'
import { HostCertificate } from './host-certificate.entity.js'

/** A host renews one now and then; this many that are good at once are a faulty agent's. */
const MAX_GOOD = 16

/** Who asks for another certificate, and with which. */
interface Holder {
  readonly hostId: string
  readonly serial: string
}

const listing: Listing<HostCertificate> = {
  entity: HostCertificate,
  sortable: ['createdAt', 'notAfter'],
  defaultSort: '-createdAt',
  id: 'serial',
}

/** Certificates of hosts: what is not in this list opens no session, however well it is signed. */
@Injectable()
export class HostCertificates {
  constructor(
    private readonly database: Database,
    private readonly authorities: Authorities,
    private readonly settings: Settings,
    private readonly events: Events,
  ) {}

  list(hostId: string, query: PageQuery): Promise<Page<HostCertificate>> {
    return page(this.database.dataSource.manager, listing, query, (rows) => rows.andWhere({ hostId }))
  }

  async issue(tx: Tx, hostId: string, publicKey: PublicKey): Promise<CertificateGrant> {
    const lifeMs = this.settings.get('hosts.certificateLifeMs')
    const certificate = await signHost(this.authorities.hostSigner, { hostId, publicKey, lifeMs })
    const { serial, fingerprint, notBefore, notAfter } = factsOf(certificate)
    await prepared(
      tx,
      'host_certificates_issue',
      `INSERT INTO host_certificates (serial, host_id, fingerprint, not_before, not_after) VALUES ($1, $2, $3, $4, $5)`,
      [serial, hostId, fingerprint, notBefore, notAfter],
    )
    return { certificate, authorities: this.authorities.trusted }
  }

  /**
   * The next certificate of a host that has a session; the one before stays good until its own end.
   * @param serial of the certificate that the session was opened with: whoever was shut out a moment ago gets no other
   */
  async renew({ hostId, serial }: Holder, csr: string): Promise<CertificateGrant> {
    const publicKey = await keyToCertify(csr)
    return this.database.transaction(async (tx) => {
      await this.requireGood(tx, hostId, serial)
      const [{ good }] = await tx.query(
        'SELECT count(*)::int AS good FROM host_certificates WHERE host_id = $1 AND revoked_at IS NULL AND not_after > now()',
        [hostId],
      )
      if (good >= MAX_GOOD) throw new TooMany(`the host has ${good} good certificates`, 3_600)
      const grant = await this.issue(tx, hostId, publicKey)
      const payload = { serial: factsOf(grant.certificate).serial }
      await this.events.append(tx, [{ type: 'hosts.certificate.renewed', subject: `host/${hostId}`, hostId, payload }])
      return grant
    })
  }

  /**
   * Whoever revokes holds the host's row as well: what was issued before is revoked with the rest, and afterwards nothing is.
   * @throws Forbidden
   */
  private async requireGood(tx: Tx, hostId: string, serial: string): Promise<void> {
    await tx.query('SELECT FROM hosts WHERE id = $1 FOR NO KEY UPDATE', [hostId])
    const good: object[] = await tx.query(
      `SELECT 1 FROM host_certificates
       WHERE serial = $1 AND host_id = $2 AND revoked_at IS NULL AND not_after > clock_timestamp()`,
      [serial, hostId],
    )
    if (good.length === 0) throw new Forbidden('the certificate of this session is good no more: join the plane anew')
  }

  /** Whether the host was ever given one: then its name is nobody else's. */
  async has(tx: Tx, hostId: string): Promise<boolean> {
    const rows: object[] = await tx.query('SELECT 1 FROM host_certificates WHERE host_id = $1 LIMIT 1', [hostId])
    return rows.length > 0
  }

  /** @returns the serials of those that were good until now */
  async revoke(tx: Tx, hostId: string, reason: string): Promise<string[]> {
    const [rows]: [{ serial: string }[]] = await tx.query(
      `UPDATE host_certificates SET revoked_at = now(), revoked_reason = $2
       WHERE host_id = $1 AND revoked_at IS NULL AND not_after > now() RETURNING serial`,
      [hostId, reason],
    )
    return rows.map(({ serial }) => serial)
  }

  /** What ended long ago; the newest of each host stays as evidence that its name is taken. */
  async removeOld(): Promise<void> {
    await this.database.dataSource.query(
      `DELETE FROM host_certificates c WHERE not_after < now() - interval '90 days'
         AND EXISTS (SELECT FROM host_certificates n WHERE n.host_id = c.host_id AND n.created_at > c.created_at)`,
    )
  }
}
