import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import type { EventType } from '../events/event-types.js'
import { Events } from '../events/events.service.js'
import { Database, type Tx } from '../platform/database.js'
import { Conflict, Invalid, NotFound } from '../platform/errors.js'
import { type IfMatch, requireMatch } from '../platform/etag.js'
import type { Listing } from '../platform/listing.js'
import { type Page, page } from '../platform/pages.js'
import { clientSecrets, sealedPlace } from '../platform/sealed-columns.js'
import { Sealer } from '../platform/sealing.js'
import { keepingAnAdministrator } from './administrators.js'
import { Authentication } from './authentication.js'
import type {
  GroupRoleInput,
  IdentityProviderCreate,
  IdentityProviderQuery,
  IdentityProviderUpdate,
} from './identity-provider.dto.js'
import { type GroupRole, IdentityProvider } from './identity-provider.entity.js'
import { isTrustworthy } from './loopback.js'
import { ProviderRoles } from './provider-roles.js'
import { WebSessions } from './web-sessions.js'

const listing: Listing<IdentityProvider> = {
  entity: IdentityProvider,
  sortable: ['name', 'createdAt'],
  defaultSort: 'name',
}

const usual = {
  displayName: '',
  publicUrl: null,
  scopes: ['profile', 'email'],
  nameClaim: 'preferred_username',
  groupsClaim: 'groups',
  groupRoles: [],
  enabled: true,
}

/** OIDC issuers, as administrators name them. */
@Injectable()
export class IdentityProviders {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
    private readonly sealer: Sealer,
    private readonly sessions: WebSessions,
    private readonly authentication: Authentication,
    private readonly roles: ProviderRoles,
  ) {}

  list(query: IdentityProviderQuery): Promise<Page<IdentityProvider>> {
    return page(this.database.dataSource.manager, listing, query)
  }

  async require(id: string, tx: Tx = this.database.dataSource.manager): Promise<IdentityProvider> {
    const provider = await tx.findOneBy(IdentityProvider, { id })
    if (!provider) throw new NotFound(`identity provider ${id}`)
    return provider
  }

  /** Those that sign people in, for anybody. */
  enabled(): Promise<IdentityProvider[]> {
    return this.database.dataSource.manager.find(IdentityProvider, { where: { enabled: true }, order: { name: 'ASC' } })
  }

  async requireEnabled(name: string): Promise<IdentityProvider> {
    const provider = await this.database.dataSource.manager.findOneBy(IdentityProvider, { name, enabled: true })
    if (!provider) throw new NotFound(`identity provider ${name}`)
    return provider
  }

  clientSecretOf({ id, sealedClientSecret: sealed }: IdentityProvider): string | null {
    return sealed === null ? null : this.sealer.openText(sealed, sealedPlace(clientSecrets, [id]))
  }

  async create(body: IdentityProviderCreate): Promise<IdentityProvider> {
    requireTrustworthy('issuer', body.issuer)
    return this.database.transaction(async (tx) => {
      const id = randomUUID()
      const values = { ...usual, ...(await this.changesOf(tx, id, body)), name: body.name, issuer: body.issuer }
      const insert = tx
        .createQueryBuilder()
        .insert()
        .into(IdentityProvider)
        .values({ ...values, id })
      const { raw } = await insert.orIgnore().returning('id').execute()
      if ((raw as unknown[]).length === 0) {
        throw new Conflict(`an identity provider is called ${body.name} already`, 'name-taken')
      }
      return this.tell(tx, 'identity.provider.created', await this.require(id, tx))
    })
  }

  /** One that is disabled ends the sessions that it opened and the roles that it gave; one that gives other roles, those of before. */
  async update(id: string, body: IdentityProviderUpdate, ifMatch: IfMatch | null): Promise<IdentityProvider> {
    return this.database.transaction(async (tx) => {
      const provider = await this.lock(tx, id)
      requireMatch(ifMatch, provider.generation)
      const changes = await this.changesOf(tx, id, body)
      const generation = provider.generation + 1
      const values = { ...changes, generation, updatedAt: new Date() }
      await keepingAnAdministrator(tx, () => tx.update(IdentityProvider, { id }, values))
      const changed = await this.require(id, tx)
      if (changed.enabled) await this.roles.removeUnmapped(tx, id, changed.groupRoles)
      else await this.shutOut(tx, id)
      return this.tell(tx, 'identity.provider.updated', changed)
    })
  }

  /** With the sessions that it opened and the roles that its groups gave; the users stay. */
  async delete(id: string, ifMatch: IfMatch | null): Promise<void> {
    await this.database.transaction(async (tx) => {
      const provider = await this.lock(tx, id)
      requireMatch(ifMatch, provider.generation)
      await keepingAnAdministrator(tx, () => tx.delete(IdentityProvider, { id }))
      await this.tell(tx, 'identity.provider.deleted', provider)
    })
  }

  private async shutOut(tx: Tx, id: string): Promise<void> {
    await this.sessions.endOfProvider(tx, id)
    await this.roles.removeOf(tx, id)
  }

  private async changesOf(tx: Tx, id: string, body: IdentityProviderUpdate): Promise<Partial<IdentityProvider>> {
    const { displayName, clientId, clientSecret, publicUrl, scopes, nameClaim, groupsClaim, groupRoles, enabled } = body
    if (publicUrl) requireTrustworthy('publicUrl', publicUrl)
    if (groupRoles) await requireProjects(tx, groupRoles)
    const said = {
      ...{ displayName, clientId, publicUrl, scopes, nameClaim, groupsClaim, enabled },
      sealedClientSecret: clientSecret
        ? this.sealer.seal(clientSecret, sealedPlace(clientSecrets, [id]))
        : clientSecret,
      groupRoles: groupRoles?.map(({ group, role, projectId = null }): GroupRole => ({ group, role, projectId })),
    }
    return Object.fromEntries(Object.entries(said).filter(([, value]) => value !== undefined))
  }

  private async lock(tx: Tx, id: string): Promise<IdentityProvider> {
    const provider = await tx.findOne(IdentityProvider, { where: { id }, lock: { mode: 'pessimistic_write' } })
    if (!provider) throw new NotFound(`identity provider ${id}`)
    return provider
  }

  private async tell(tx: Tx, type: EventType, provider: IdentityProvider): Promise<IdentityProvider> {
    const { id, name, issuer, enabled } = provider
    await this.events.append(tx, [{ type, subject: `identity-provider/${id}`, payload: { name, issuer, enabled } }])
    this.database.afterCommit(tx, () => this.authentication.changed())
    return provider
  }
}

function requireTrustworthy(field: string, address: string): void {
  if (isTrustworthy(address)) return
  const message = 'must be https; http is for the loopback alone'
  throw new Invalid(`the ${field} cannot be trusted`, [{ field, message }])
}

async function requireProjects(tx: Tx, groupRoles: readonly GroupRoleInput[]): Promise<void> {
  const wanted = [...new Set(groupRoles.flatMap(({ projectId }) => projectId ?? []))]
  const rows: { id: string }[] = await tx.query('SELECT id FROM projects WHERE id = ANY($1::uuid[])', [wanted])
  const known = new Set(rows.map(({ id }) => id))
  const faults = groupRoles.flatMap(({ projectId }, index) =>
    projectId && !known.has(projectId.toLowerCase())
      ? [{ field: `groupRoles[${index}].projectId`, message: 'there is no such project' }]
      : [],
  )
  if (faults.length > 0) throw new Invalid('a project does not exist', faults)
}
