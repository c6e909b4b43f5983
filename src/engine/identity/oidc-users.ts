import { Injectable } from '@nestjs/common'
import { Events } from '../events/events.service.js'
import { includes, type Role } from '../platform/caller.js'
import { Database, type Tx } from '../platform/database.js'
import { Authentication } from './authentication.js'
import type { GroupRole, IdentityProvider } from './identity-provider.entity.js'
import { refused } from './oidc-attempt.js'
import { USER_NAME } from './user.dto.js'
import { User } from './user.entity.js'

export type Claims = Readonly<Record<string, unknown>> & { readonly sub: string }

/** Whom a provider's claims are about here: found by issuer and subject, or made. */
@Injectable()
export class OidcUsers {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
    private readonly authentication: Authentication,
  ) {}

  /** @throws Forbidden */
  async signedIn(tx: Tx, provider: IdentityProvider, claims: Claims): Promise<User> {
    const { issuer } = provider
    // of two first sign-ins at once, the second finds what the first has made
    await tx.query('SELECT pg_advisory_xact_lock(hashtextextended($1, 0))', [`${issuer} ${claims.sub}`])
    const user = (await this.find(tx, issuer, claims.sub)) ?? (await this.create(tx, provider, claims))
    if (user.disabled) throw refused(`the account ${user.name} is disabled`)
    await this.replaceRoles(tx, provider, user.id, groupsOf(claims[provider.groupsClaim]))
    return user
  }

  private async find(tx: Tx, issuer: string, subject: string): Promise<User | null> {
    const [row]: { user_id: string }[] = await tx.query(
      'SELECT user_id FROM external_identities WHERE issuer = $1 AND subject = $2',
      [issuer, subject],
    )
    return row ? tx.findOneBy(User, { id: row.user_id }) : null
  }

  /** Never by its name: whoever may choose a name there would be whoever has it here. */
  private async create(tx: Tx, provider: IdentityProvider, claims: Claims): Promise<User> {
    const { issuer, nameClaim } = provider
    const name = textOf(claims[nameClaim])?.toLowerCase()
    if (!name) throw refused(`the identity provider says no ${nameClaim}, which is to be the user's name`)
    if (!USER_NAME.test(name)) throw refused(`the ${nameClaim} of the identity provider is no name of a user here`)
    const rows: { id: string }[] = await tx.query(
      `INSERT INTO users (kind, name, display_name, email) VALUES ('person', $1, $2, $3)
       ON CONFLICT (name) DO NOTHING RETURNING id`,
      [name, textOf(claims.name)?.slice(0, 200) ?? '', textOf(claims.email)?.slice(0, 254) ?? null],
    )
    const [made] = rows
    if (!made) throw refused(`a user is called ${name} already, who is not of this identity provider`)
    await tx.query('INSERT INTO external_identities (issuer, subject, user_id) VALUES ($1, $2, $3)', [
      issuer,
      claims.sub,
      made.id,
    ])
    await this.events.append(tx, [
      { type: 'identity.user.created', subject: `user/${made.id}`, payload: { name, kind: 'person', issuer } },
    ])
    return tx.findOneByOrFail(User, { id: made.id })
  }

  /** What its groups gave before is gone; what was given here stays, and counts where both speak of one place. */
  private async replaceRoles(tx: Tx, provider: IdentityProvider, userId: string, groups: ReadonlySet<string>) {
    const wanted = highest(provider.groupRoles.filter(({ group }) => groups.has(group)))
    await tx.query('DELETE FROM role_bindings WHERE user_id = $1 AND provider_id = $2', [userId, provider.id])
    await tx.query(
      `INSERT INTO role_bindings (user_id, project_id, role, provider_id)
       SELECT $1, w.project_id, w.role, $2 FROM jsonb_to_recordset($3::jsonb) AS w(project_id uuid, role text)
       WHERE w.project_id IS NULL OR EXISTS (SELECT FROM projects p WHERE p.id = w.project_id)
       ON CONFLICT DO NOTHING`,
      [userId, provider.id, JSON.stringify(wanted)],
    )
    this.database.afterCommit(tx, () => this.authentication.changed())
  }
}

function highest(groupRoles: readonly GroupRole[]): { project_id: string | null; role: Role }[] {
  const byPlace = new Map<string | null, Role>()
  for (const { projectId, role } of groupRoles) {
    if (!includes(byPlace.get(projectId), role)) byPlace.set(projectId, role)
  }
  return [...byPlace].map(([projectId, role]) => ({ project_id: projectId, role }))
}

/** One group may come as plain text. */
function groupsOf(claim: unknown): ReadonlySet<string> {
  const all: unknown[] = Array.isArray(claim) ? claim : [claim]
  return new Set(all.filter((group) => typeof group === 'string'))
}

function textOf(claim: unknown): string | null {
  return typeof claim === 'string' && claim !== '' && !/\p{Cc}/u.test(claim) ? claim : null
}
