import { IsBoolean, IsInt, Matches, Max, Min, ValidateIf } from 'class-validator'
import { HOST_NAME } from '../../wire/session.js'
import { PageQuery } from '../platform/pages.js'
import type { JoinTokenRow } from './join-token.entity.js'

const HOUR_MS = 3_600_000

export class JoinTokenCreate {
  /**
   * The one host that it is good for; without it, any.
   * @example h1
   */
  @ValidateIf((token: JoinTokenCreate) => token.name !== undefined)
  @Matches(HOST_NAME)
  name?: string

  /**
   * How long it is good for, in milliseconds: an hour unless said otherwise, a week at the most.
   * @example 3600000
   */
  @IsInt()
  @Min(1_000)
  @Max(168 * HOUR_MS)
  lifeMs: number = HOUR_MS

  /**
   * How many hosts it enrols.
   * @example 1
   */
  @IsInt()
  @Min(1)
  @Max(10_000)
  uses: number = 1

  /** Enrols a host that is known anew: its earlier certificates are then revoked. */
  @IsBoolean()
  replace: boolean = false
}

export class JoinTokenQuery extends PageQuery {}

export class JoinTokenView {
  /** @example 6f1f5a52-9f0e-4c9a-8a53-3b6f5f0f2a11 */
  id!: string
  /**
   * Null: any host.
   * @example h1
   */
  name!: string | null
  /** @example 1 */
  uses!: number
  /** @example 0 */
  used!: number
  replace!: boolean
  /** @example 2026-01-31T13:00:00.000Z */
  expiresAt!: string
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
  /** @example 2026-01-31T12:10:00.000Z */
  lastUsedAt!: string | null
}

export class JoinTokenCreated extends JoinTokenView {
  /**
   * For `keelson agent join`. Shown now or never.
   * @example kjt_eyJpZCI6IjZmMWY1YTUyLTlmMGUtNGM5YS04YTUzLTNiNmY1ZjBmMmExMSJ9
   */
  token!: string
}

export const viewJoinToken = (row: JoinTokenRow): JoinTokenView => ({
  id: row.id,
  name: row.name,
  uses: row.uses,
  used: row.used,
  replace: row.replace,
  expiresAt: row.expiresAt.toISOString(),
  createdAt: row.createdAt.toISOString(),
  lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
})
