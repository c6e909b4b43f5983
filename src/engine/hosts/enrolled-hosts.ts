import { Injectable } from '@nestjs/common'
import { Events } from '../events/events.service.js'
import { type HostRegister, HostRegistry, type RegisteredHost } from '../identity/host-register.js'
import { Database, type Tx } from '../platform/database.js'
import { SessionRegistry } from '../sessions/session-registry.js'
import { insertHost } from './admission.js'
import { HostChanges } from './host-changes.js'
import { HostLife } from './host-life.js'
import { hostSubject } from './host-status.js'

/** Hosts as enrolment meets them. */
@Injectable()
export class EnrolledHosts implements HostRegister {
  constructor(
    registry: HostRegistry,
    private readonly database: Database,
    private readonly events: Events,
    private readonly life: HostLife,
    private readonly sessions: SessionRegistry,
    private readonly changes: HostChanges,
  ) {
    registry.register(this)
  }

  async findOrMake(tx: Tx, name: string): Promise<RegisteredHost> {
    const made = await insertHost(tx, name, {})
    if (made) {
      await this.events.append(tx, [
        { type: 'hosts.host.registered', subject: hostSubject(made), hostId: made, payload: { name } },
      ])
      this.changes.announce(tx, made)
    }
    const [host] = await tx.query('SELECT id, name FROM hosts WHERE name = $1 FOR NO KEY UPDATE', [name])
    if (!host) throw new Error(`host ${name} was removed while it was enrolled`)
    return host
  }

  async enrolledAnew(tx: Tx, { id }: RegisteredHost): Promise<void> {
    await this.cutOff(tx, id, 'it was enrolled anew')
  }

  /** Its certificates are good no more: it is lost, and its session ends on whichever replica holds it. */
  async cutOff(tx: Tx, hostId: string, reason: string): Promise<void> {
    await this.life.cutOff(tx, hostId, reason)
    this.database.afterCommit(tx, () => this.sessions.recheck(hostId))
  }
}
