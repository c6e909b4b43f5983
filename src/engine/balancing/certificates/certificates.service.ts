import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import type { EventType } from '../../events/event-types.js'
import { Events } from '../../events/events.service.js'
import { chosenProject, projectMissing } from '../../identity/chosen-project.js'
import { type Caller, requireInProject } from '../../platform/caller.js'
import { Database, sqlState, type Tx } from '../../platform/database.js'
import { Conflict, NotFound } from '../../platform/errors.js'
import { type IfMatch, requireMatch } from '../../platform/etag.js'
import type { Listing } from '../../platform/listing.js'
import { inProjectsOf, type Page, page } from '../../platform/pages.js'
import { certificateKeys, sealedPlace } from '../../platform/sealed-columns.js'
import { Sealer } from '../../platform/sealing.js'
import { type User, UsersOf } from '../../platform/users-of.js'
import { Balancers } from '../balancers.service.js'
import { Certificate } from '../certificate.entity.js'
import type { Tree } from '../tree.js'
import type { CertificateCreate, CertificatePut, CertificateQuery } from './certificate.dto.js'
import { type ReadCertificate, readCertificate } from './read-certificate.js'

const listing: Listing<Certificate> = {
  entity: Certificate,
  sortable: ['name', 'createdAt', 'notAfter'],
  defaultSort: 'name',
  filterable: ['projectId', 'name'],
}

const UNIQUE_VIOLATION = '23505'
const FOREIGN_KEY_VIOLATION = '23503'
/** So many of the balancers that show one are looked up at a time. */
const RENEWED_PAGE = 100
/** One renewal is one transaction, which claims every balancer that shows it: some ten seconds for as many as that. */
const MAX_RENEWED = 2_000
/** Before every id. */
const FIRST = '00000000-0000-0000-0000-000000000000'

/** Certificates with their keys. One that is renewed is so on every balancer that shows it, or on none. */
@Injectable()
export class Certificates {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
    private readonly sealer: Sealer,
    private readonly users: UsersOf,
    private readonly balancers: Balancers,
  ) {
    users.register('certificate', listenersWith)
    users.register('project', async (tx, projectId): Promise<User[]> => {
      const sql = 'SELECT id, name FROM certificates WHERE project_id = $1 ORDER BY name LIMIT 1000'
      const rows: { id: string; name: string }[] = await tx.query(sql, [projectId])
      return rows.map((row) => ({ noun: 'certificate', ...row }))
    })
  }

  list(caller: Caller, query: CertificateQuery): Promise<Page<Certificate>> {
    return page(this.database.dataSource.manager, listing, query, inProjectsOf(caller))
  }

  async require(caller: Caller, id: string): Promise<Certificate> {
    const found = await this.database.dataSource.manager.findOneBy(Certificate, { id })
    if (!found) throw notThere(id)
    requireInProject(caller, found.projectId, 'viewer', `certificate ${id}`)
    return found
  }

  async create(
    caller: Caller,
    { name, chainPem, privateKeyPem, projectId: asked }: CertificateCreate,
  ): Promise<Certificate> {
    const read = readCertificate(chainPem, privateKeyPem, new Date())
    const projectId = chosenProject(caller, asked)
    if (!projectId) throw projectMissing()
    return this.named(name, projectId, async (tx) => {
      const id = randomUUID()
      await tx.insert(Certificate, { id, projectId, name, ...this.columnsOf(id, read) })
      return this.tell(tx, 'balancing.certificate.created', id)
    })
  }

  /** The same again changes nothing, and no balancer is told of it. */
  async renew(
    caller: Caller,
    id: string,
    { name, chainPem, privateKeyPem }: CertificatePut,
    ifMatch: IfMatch | null,
  ): Promise<Certificate> {
    const { projectId } = await this.require(caller, id)
    requireInProject(caller, projectId, 'operator', `certificate ${id}`)
    const read = readCertificate(chainPem, privateKeyPem, new Date())
    return this.named(name, null, async (tx) => {
      const held = await this.lock(tx, caller, id)
      requireMatch(ifMatch, held.generation)
      const shownAlike = held.chainPem === read.chainPem
      if (shownAlike && held.name === name) return held
      const generation = held.generation + 1
      await tx.update(Certificate, { id }, { name, generation, updatedAt: new Date(), ...this.columnsOf(id, read) })
      if (!shownAlike) await this.showAnew(tx, caller, id)
      return this.tell(tx, 'balancing.certificate.renewed', id)
    })
  }

  async delete(caller: Caller, id: string, ifMatch: IfMatch | null): Promise<void> {
    await this.database.transaction(async (tx) => {
      const held = await this.lock(tx, caller, id)
      requireMatch(ifMatch, held.generation)
      await this.users.requireUnused(tx, 'certificate', id)
      const { name, projectId } = held
      await tx.delete(Certificate, { id })
      await this.events.append(tx, [
        { type: 'balancing.certificate.deleted', subject: `certificate/${id}`, projectId, payload: { name } },
      ])
    })
  }

  /** Each of the balancers gets a generation of its own for it, in the order in which everybody locks them. */
  private async showAnew(tx: Tx, caller: Caller, id: string): Promise<void> {
    let renewed = 0
    for (let after: string | undefined = FIRST; after !== undefined; ) {
      const page = await this.showing(tx, id, after)
      renewed += page.length
      if (renewed > MAX_RENEWED)
        throw new Conflict(`more than ${MAX_RENEWED} load balancers show certificate ${id}: use several`, 'in-use')
      for (const balancerId of page)
        await this.balancers.change(caller, balancerId, (tree) => shownAnew(tree, id), {
          face: 'native',
          coalesce: true,
        })
      after = page.at(-1)
    }
  }

  private async showing(tx: Tx, id: string, after: string): Promise<string[]> {
    const rows: { id: string }[] = await tx.query(
      `SELECT b.id FROM load_balancers b
       WHERE b.id > $3 AND b.provisioning_status <> 'PENDING_DELETE' AND NOT EXISTS (
         SELECT FROM tombstones t
         WHERE t.host_id = b.host_id AND t.subject = 'load-balancer/' || b.id AND t.state = 'waiting' AND b.moving_from_device_id IS NULL)
       AND EXISTS (
         SELECT FROM listeners l WHERE l.load_balancer_id = b.id
           AND (l.default_certificate_id = $1 OR $1 = ANY(l.sni_certificate_ids)))
       ORDER BY b.id LIMIT $2`,
      [id, RENEWED_PAGE, after],
    )
    return rows.map(({ id: balancerId }) => balancerId)
  }

  private columnsOf(id: string, { privateKeyPem, ...shown }: ReadCertificate) {
    return { ...shown, sealedKey: this.sealer.seal(privateKeyPem, sealedPlace(certificateKeys, [id])) }
  }

  private async lock(tx: Tx, caller: Caller, id: string): Promise<Certificate> {
    const seen = await tx.findOneBy(Certificate, { id })
    if (!seen) throw notThere(id)
    // before the lock: nobody waits for, or holds up, what is not theirs
    requireInProject(caller, seen.projectId, 'operator', `certificate ${id}`)
    const held = await tx.findOne(Certificate, { where: { id }, lock: { mode: 'pessimistic_write' } })
    if (!held) throw notThere(id)
    return held
  }

  private async tell(tx: Tx, type: EventType, id: string): Promise<Certificate> {
    const one = await tx.findOneByOrFail(Certificate, { id })
    const payload = { name: one.name, fingerprint: one.fingerprint, notAfter: one.notAfter.toISOString() }
    await this.events.append(tx, [{ type, subject: `certificate/${id}`, projectId: one.projectId, payload }])
    return one
  }

  /** What `work` has others do joins its transaction. */
  private async named<T>(name: string, projectId: string | null, work: (tx: Tx) => Promise<T>): Promise<T> {
    try {
      return await this.database.ambient(work)
    } catch (error) {
      if (sqlState(error) === UNIQUE_VIOLATION)
        throw new Conflict(`a certificate of the project is called ${name} already`, 'name-taken')
      if (projectId && sqlState(error) === FOREIGN_KEY_VIOLATION) throw new NotFound(`project ${projectId}`)
      throw error
    }
  }
}

const notThere = (id: string) => new NotFound(`certificate ${id}`)

/** Nothing of the rows is another, and all that they come to is: what shows the certificate counts as changed. */
const shownAnew = (tree: Tree, certificateId: string): Tree => ({
  ...tree,
  listeners: tree.listeners.map((listener) =>
    listener.defaultCertificateId === certificateId || listener.sniCertificateIds.includes(certificateId)
      ? { ...listener }
      : listener,
  ),
})

async function listenersWith(tx: Tx, id: string): Promise<User[]> {
  const rows: { id: string; name: string }[] = await tx.query(
    `SELECT l.id, l.name FROM listeners l
     WHERE l.project_id = (SELECT project_id FROM certificates WHERE id = $1)
       AND (l.default_certificate_id = $1 OR $1 = ANY(l.sni_certificate_ids))
     ORDER BY l.id LIMIT 1000`,
    [id],
  )
  return rows.map((row) => ({ noun: 'listener', ...row }))
}
