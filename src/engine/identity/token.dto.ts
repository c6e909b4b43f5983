import { IsBoolean, IsIn, IsISO8601, IsUUID, Matches, ValidateIf } from 'class-validator'
import { type Role, roles } from '../platform/caller.js'
import { Filter, PageQuery } from '../platform/pages.js'
import type { ApiToken } from './api-token.entity.js'

export class TokenCreate {
  /**
   * What it is for.
   * @example nightly backup
   */
  @Matches(/^[^\p{Cc}]{1,100}$/u)
  name!: string

  /** The most that it may do, whatever its user may; without one, as the user. */
  @ValidateIf((token: TokenCreate) => token.role !== undefined && token.role !== null)
  @IsIn(roles)
  role?: Role | null

  /**
   * The one project that it is good for; without one, as the user.
   * @example 00000000-0000-4000-8000-00000000d0d0
   */
  @ValidateIf((token: TokenCreate) => token.projectId !== undefined && token.projectId !== null)
  @IsUUID()
  projectId?: string | null

  /**
   * In 90 days where nothing is said. Null is never, which is for services alone; a person's ends within 366 days.
   * @example 2026-12-31T00:00:00.000Z
   */
  @ValidateIf((token: TokenCreate) => token.expiresAt !== undefined && token.expiresAt !== null)
  @IsISO8601({ strict: true, strictSeparator: true })
  expiresAt?: string | null

  /** Not counted by the rate limits; only an administrator of the plane can say so. */
  @ValidateIf((token: TokenCreate) => token.unlimited !== undefined)
  @IsBoolean()
  unlimited?: boolean
}

export class TokenQuery extends PageQuery {
  @Filter({ description: 'Tokens of this name.' }) name?: string[]
}

export class TokenView {
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  id!: string
  /** @example 5d0f8f5e-2d6b-4c3a-8e5f-0b9c2a7e54d1 */
  userId!: string
  /** @example nightly backup */
  name!: string
  role!: Role | null
  /** @example 00000000-0000-4000-8000-00000000d0d0 */
  projectId!: string | null
  unlimited!: boolean
  /**
   * Null: never.
   * @example 2026-12-31T00:00:00.000Z
   */
  expiresAt!: string | null
  /**
   * To the minute.
   * @example 2026-01-31T12:00:00.000Z
   */
  lastUsedAt!: string | null
  /** @example null */
  revokedAt!: string | null
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
}

export class NewTokenView extends TokenView {
  /**
   * Shown now and never again.
   * @example kst_0b7f3c8e6f434a2e9d0f0c0e5a1f9f11_ZXhhbXBsZS1leGFtcGxlLWV4YW1wbGUtZXhhbXBsZTE
   */
  token!: string
}

export function viewToken(token: ApiToken): TokenView {
  return {
    id: token.id,
    userId: token.userId,
    name: token.name,
    role: token.role,
    projectId: token.projectId,
    unlimited: token.unlimited,
    expiresAt: token.expiresAt?.toISOString() ?? null,
    lastUsedAt: token.lastUsedAt?.toISOString() ?? null,
    revokedAt: token.revokedAt?.toISOString() ?? null,
    createdAt: token.createdAt.toISOString(),
  }
}
