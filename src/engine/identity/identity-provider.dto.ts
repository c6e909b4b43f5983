import { Type } from 'class-transformer'
import {
  ArrayMaxSize,
  ArrayUnique,
  IsArray,
  IsBoolean,
  IsIn,
  IsString,
  IsUUID,
  Matches,
  MaxLength,
  ValidateIf,
  ValidateNested,
} from 'class-validator'
import { type Role, roles } from '../platform/caller.js'
import { PageQuery } from '../platform/pages.js'
import type { IdentityProvider } from './identity-provider.entity.js'

export const PROVIDER_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const TEXT = /^[^\p{Cc}]{1,200}$/u
const CLAIM = /^[\x21-\x7e]{1,100}$/
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/
const ADDRESS = /^https?:\/\/[^\s?#]{1,500}$/

export class GroupRoleInput {
  /**
   * As the issuer spells it.
   * @example operations
   */
  @Matches(TEXT)
  group!: string

  @IsIn(roles)
  role!: Role

  /**
   * The project that it is for; null: the whole plane.
   * @example null
   */
  @ValidateIf((mapping: GroupRoleInput) => mapping.projectId !== undefined && mapping.projectId !== null)
  @IsUUID()
  projectId?: string | null
}

const given =
  (field: string) =>
  (body: object): boolean =>
    (body as Record<string, unknown>)[field] !== undefined
const givenAndNotNull =
  (field: string) =>
  (body: object): boolean =>
    (body as Record<string, unknown>)[field] != null

/** What may be said when it is made, and changed afterwards. */
export class IdentityProviderTerms {
  /**
   * On the sign-in page.
   * @example Example Inc.
   */
  @ValidateIf(given('displayName'))
  @Matches(/^[^\p{Cc}]{0,200}$/u)
  displayName?: string

  /**
   * Sealed, and never shown. Null: a public client.
   * @example s3cr3t-of-the-client
   */
  @ValidateIf(givenAndNotNull('clientSecret'))
  @Matches(/^[\x20-\x7e]{1,500}$/)
  clientSecret?: string | null

  /**
   * This plane as browsers reach it, where a proxy stands between; null: as their requests say.
   * @example https://plane.example.org
   */
  @ValidateIf(givenAndNotNull('publicUrl'))
  @Matches(ADDRESS)
  publicUrl?: string | null

  /**
   * What is asked for beside `openid`.
   * @example ["profile", "email", "groups"]
   */
  @ValidateIf(given('scopes'))
  @IsArray()
  @ArrayMaxSize(20)
  @ArrayUnique()
  @IsString({ each: true })
  @Matches(SCOPE, { each: true })
  scopes?: string[]

  /**
   * The claim that is the user's name here.
   * @example preferred_username
   */
  @ValidateIf(given('nameClaim'))
  @Matches(CLAIM)
  nameClaim?: string

  /**
   * The claim that lists the user's groups.
   * @example groups
   */
  @ValidateIf(given('groupsClaim'))
  @Matches(CLAIM)
  groupsClaim?: string

  /** What members of which group may. Of several for one place, the highest counts. */
  @ValidateIf(given('groupRoles'))
  @IsArray()
  @ArrayMaxSize(500)
  @ValidateNested({ each: true })
  @Type(() => GroupRoleInput)
  groupRoles?: GroupRoleInput[]

  /** Whether it may sign anybody in. */
  @ValidateIf(given('enabled'))
  @IsBoolean()
  enabled?: boolean
}

export class IdentityProviderUpdate extends IdentityProviderTerms {
  /**
   * What it calls this plane.
   * @example keelson
   */
  @ValidateIf(given('clientId'))
  @Matches(TEXT)
  clientId?: string
}

export class IdentityProviderCreate extends IdentityProviderTerms {
  /**
   * Part of the address that it sends people back to.
   * @example corporate
   */
  @Matches(PROVIDER_NAME)
  name!: string

  /**
   * Its issuer identifier: https, or http on this machine's loopback.
   * @example https://login.example.org
   */
  @Matches(ADDRESS)
  @MaxLength(500)
  issuer!: string

  /**
   * What it calls this plane.
   * @example keelson
   */
  @Matches(TEXT)
  clientId!: string
}

export class IdentityProviderQuery extends PageQuery {}

export class GroupRoleView {
  /** @example operations */
  group!: string
  role!: Role
  /** @example null */
  projectId!: string | null
}

export class IdentityProviderView {
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  id!: string
  /** @example corporate */
  name!: string
  /** @example Example Inc. */
  displayName!: string
  /** @example https://login.example.org */
  issuer!: string
  /** @example keelson */
  clientId!: string
  hasClientSecret!: boolean
  /** @example https://plane.example.org */
  publicUrl!: string | null
  /** @example ["profile", "email", "groups"] */
  scopes!: string[]
  /** @example preferred_username */
  nameClaim!: string
  /** @example groups */
  groupsClaim!: string
  groupRoles!: GroupRoleView[]
  enabled!: boolean
  /**
   * What the ETag shows.
   * @example 1
   */
  generation!: number
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
}

export function viewIdentityProvider(provider: IdentityProvider): IdentityProviderView {
  return {
    id: provider.id,
    name: provider.name,
    displayName: provider.displayName,
    issuer: provider.issuer,
    clientId: provider.clientId,
    hasClientSecret: provider.sealedClientSecret !== null,
    publicUrl: provider.publicUrl,
    scopes: [...provider.scopes],
    nameClaim: provider.nameClaim,
    groupsClaim: provider.groupsClaim,
    groupRoles: provider.groupRoles.map(({ group, role, projectId }) => ({ group, role, projectId })),
    enabled: provider.enabled,
    generation: provider.generation,
    createdAt: provider.createdAt.toISOString(),
  }
}
