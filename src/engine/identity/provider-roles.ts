import { Injectable } from '@nestjs/common'
import { Events } from '../events/events.service.js'
import { Database, type Tx } from '../platform/database.js'
import type { TurnEnd } from '../platform/schedules.js'
import { Settings } from '../platform/settings.js'
import { Authentication } from './authentication.js'
import type { GroupRole } from './identity-provider.entity.js'
import { roleRevoked } from './role-bindings.service.js'

interface Taken {
  readonly userId: string
  readonly userName: string
  readonly projectId: string | null
}

const BATCH = 1_000

/** Takes away what the groups of identity providers gave, where nobody has said it again. */
@Injectable()
export class ProviderRoles {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
    private readonly settings: Settings,
    private readonly authentication: Authentication,
  ) {}

  /** Of whom the provider has said nothing for long: they may have left. */
  async removeStale(): Promise<TurnEnd> {
    const taken = await this.database.transaction((tx) =>
      this.take(tx, `b.provider_id IS NOT NULL AND b.created_at < now() - $1::float8 * interval '1 millisecond'`, [
        this.settings.get('identity.providerRolesMs'),
      ]),
    )
    return taken === BATCH ? 'unfinished' : 'finished'
  }

  /** All that a provider gave, as it signs nobody in any more. */
  async removeOf(tx: Tx, providerId: string): Promise<void> {
    while ((await this.take(tx, 'b.provider_id = $1', [providerId])) === BATCH);
  }

  /** What no group gives any more. Whose groups give another role there has it from the next sign-in on. */
  async removeUnmapped(tx: Tx, providerId: string, groupRoles: readonly GroupRole[]): Promise<void> {
    const unmapped = `b.provider_id = $1 AND NOT EXISTS (
      SELECT FROM jsonb_to_recordset($2::jsonb) AS w("projectId" uuid, role text)
      WHERE w.role = b.role AND w."projectId" IS NOT DISTINCT FROM b.project_id)`
    while ((await this.take(tx, unmapped, [providerId, JSON.stringify(groupRoles)])) === BATCH);
  }

  private async take(tx: Tx, which: string, values: readonly unknown[]): Promise<number> {
    const [taken]: [Taken[]] = await tx.query(
      `DELETE FROM role_bindings USING users u
       WHERE u.id = user_id AND role_bindings.id IN (
         SELECT b.id FROM role_bindings b WHERE ${which} ORDER BY b.id LIMIT ${BATCH} FOR UPDATE)
       RETURNING u.id AS "userId", u.name AS "userName", project_id AS "projectId"`,
      [...values],
    )
    if (taken.length === 0) return 0
    await this.events.append(
      tx,
      taken.map(({ userId, userName, projectId }) => roleRevoked({ id: userId, name: userName }, projectId)),
    )
    this.database.afterCommit(tx, () => this.authentication.changed())
    return taken.length
  }
}
