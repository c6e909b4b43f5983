import { Injectable } from '@nestjs/common'
import { Events } from '../events/events.service.js'
import type { HostCertificate } from '../identity/host-certificate.entity.js'
import { HostCertificates } from '../identity/host-certificates.js'
import { Database } from '../platform/database.js'
import { NotFound } from '../platform/errors.js'
import type { Page, PageQuery } from '../platform/pages.js'
import { EnrolledHosts } from './enrolled-hosts.js'
import { Host } from './host.entity.js'
import { hostSubject } from './host-status.js'

/** Takes a host the right to speak to the plane. */
@Injectable()
export class HostRevocation {
  constructor(
    private readonly database: Database,
    private readonly hostCertificates: HostCertificates,
    private readonly enrolled: EnrolledHosts,
    private readonly events: Events,
  ) {}

  async certificates(hostId: string, query: PageQuery): Promise<Page<HostCertificate>> {
    if (!(await this.database.dataSource.manager.existsBy(Host, { id: hostId }))) throw new NotFound(`host ${hostId}`)
    return this.hostCertificates.list(hostId, query)
  }

  /** The second time changes nothing. */
  async revoke(id: string, reason = 'revoked by an administrator'): Promise<Host> {
    return this.database.transaction(async (tx) => {
      const host = await tx.findOne(Host, { where: { id }, lock: { mode: 'for_no_key_update' } })
      if (!host) throw new NotFound(`host ${id}`)
      const serials = await this.hostCertificates.revoke(tx, id, reason)
      if (serials.length > 0) {
        const payload = { name: host.name, serials, reason }
        await this.events.append(tx, [
          { type: 'hosts.certificate.revoked', subject: hostSubject(id), hostId: id, payload },
        ])
      }
      await this.enrolled.cutOff(tx, id, 'its certificate was revoked')
      return tx.findOneByOrFail(Host, { id })
    })
  }
}
