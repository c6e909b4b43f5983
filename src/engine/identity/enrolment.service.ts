import { Injectable } from '@nestjs/common'
import type { PublicKey } from '@peculiar/x509'
import type { Enrolled } from '../../wire/enrolment.js'
import { Events } from '../events/events.service.js'
import { Addresses } from '../platform/addresses.js'
import { currentCall } from '../platform/audited-call.js'
import { Database, type Tx } from '../platform/database.js'
import { Conflict, Forbidden, Unauthenticated, Unavailable } from '../platform/errors.js'
import { SharedLimits } from '../platform/shared-limits.js'
import { Turnstile } from '../platform/turnstile.js'
import { keyToCertify } from './certificate-request.js'
import type { EnrolmentCreate } from './enrolment.dto.js'
import { HostCertificates } from './host-certificates.js'
import { HostRegistry, type RegisteredHost } from './host-register.js'
import type { JoinTokenRow } from './join-token.entity.js'
import { JoinTokens } from './join-tokens.service.js'

/** Below the database's pool: a rack that joins at once must not keep commands waiting. */
const AT_ONCE = 4
const MAX_WAITING = 1_000

/** Makes machines hosts: one transaction spends the token, makes or finds the host, and records its certificate. */
@Injectable()
export class Enrolment {
  private readonly turnstile = new Turnstile(AT_ONCE, MAX_WAITING)
  /** Few at once: a rack behind one address must not look like somebody who guesses. */
  private readonly lookups = new Turnstile(AT_ONCE, MAX_WAITING)

  constructor(
    private readonly database: Database,
    private readonly tokens: JoinTokens,
    private readonly limits: SharedLimits,
    private readonly registry: HostRegistry,
    private readonly certificates: HostCertificates,
    private readonly addresses: Addresses,
    private readonly events: Events,
  ) {}

  /** @param subject who is counted for a token that is none. @throws TooMany */
  async enrol(subject: string, { token, name, csr }: EnrolmentCreate): Promise<Enrolled> {
    const row = await this.requireToken(subject, token)
    // whose it is nobody knows: the audit log has the token, and who made that
    currentCall()?.by({ userId: null, name: `join token ${row.id}`, tokenId: null })
    currentCall()?.about(`join-token/${row.id}`)
    // before all else: whoever holds a dead one learns no name by it
    await this.tokens.requireGood(row)
    if (row.name !== null && row.name !== name) {
      throw new Forbidden(`the join token is for the host ${row.name}`, 'join-token-other-name')
    }
    const publicKey = await keyToCertify(csr)
    return inLine(this.turnstile, () => this.database.transaction((tx) => this.certify(tx, row, name, publicKey)))
  }

  /** Whatever else is wrong with an enrolment is no guess. */
  private requireToken(subject: string, token: string): Promise<JoinTokenRow> {
    const find = async () => {
      const row = await this.tokens.find(token)
      if (!row) throw new Unauthenticated('there is no such join token', 'join-token-unknown')
      return row
    }
    return inLine(this.lookups, () => this.limits.guess('enrolment', subject, find))
  }

  private async certify(tx: Tx, token: JoinTokenRow, name: string, publicKey: PublicKey): Promise<Enrolled> {
    const host = await this.registry.hosts.findOrMake(tx, name)
    if (await this.certificates.has(tx, host.id)) await this.replace(tx, token, host)
    const grant = await this.certificates.issue(tx, host.id, publicKey)
    await this.events.append(tx, [
      { type: 'hosts.host.enrolled', subject: `host/${host.id}`, hostId: host.id, payload: { name } },
    ])
    // last: others who hold the same token wait for this row until the commit
    await this.tokens.consume(tx, token)
    return { hostId: host.id, name, ...grant, engines: this.addresses.all() }
  }

  private async replace(tx: Tx, token: JoinTokenRow, host: RegisteredHost): Promise<void> {
    if (!token.replace) {
      await this.tokens.requireGood(token, tx)
      throw new Conflict(
        `a host called ${host.name} is enrolled already: choose another name, or a join token with replace`,
        'name-taken',
      )
    }
    await this.certificates.revoke(tx, host.id, 'it was enrolled anew')
    await this.registry.hosts.enrolledAnew(tx, host)
  }
}

/** @throws Unavailable when the line is too long */
async function inLine<T>(turnstile: Turnstile, work: () => Promise<T>): Promise<T> {
  if (turnstile.full) throw new Unavailable('too many machines enrol at once')
  const done = await turnstile.pass(work, () => false)
  if (done === null) throw new Unavailable('the enrolment was given up')
  return done
}
