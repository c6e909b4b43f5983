import { IsBoolean, IsEmail, IsIn, Matches, MaxLength, ValidateIf } from 'class-validator'
import { Filter, PageQuery } from '../platform/pages.js'
import { type User, type UserKind, userKinds } from './user.entity.js'

/** In lower case alone, so that no two names look alike; an e-mail address is one. */
export const USER_NAME = /^[a-z0-9]([a-z0-9._@+-]{0,126}[a-z0-9])?$/
const DISPLAY_NAME = /^[^\p{Cc}]{0,200}$/u

export class UserCreate {
  /** A person signs in; a service calls by API tokens alone. */
  @IsIn(userKinds)
  kind!: UserKind

  /**
   * Lower case letters, digits, '.', '_', '@', '+' and '-'. It stays for ever.
   * @example kim
   */
  @Matches(USER_NAME)
  name!: string

  /** @example Kim Doe */
  @ValidateIf((user: UserCreate) => user.displayName !== undefined)
  @Matches(DISPLAY_NAME)
  displayName?: string

  /** @example kim@example.org */
  @ValidateIf((user: UserCreate) => user.email !== undefined && user.email !== null)
  @IsEmail()
  @MaxLength(254)
  email?: string | null
}

export class UserUpdate {
  /** @example Kim Roe */
  @ValidateIf((user: UserUpdate) => user.displayName !== undefined)
  @Matches(DISPLAY_NAME)
  displayName?: string

  /**
   * Null takes it away.
   * @example kim@example.org
   */
  @ValidateIf((user: UserUpdate) => user.email !== undefined && user.email !== null)
  @IsEmail()
  @MaxLength(254)
  email?: string | null

  /** Whether every sign-in and every token of theirs is refused. */
  @ValidateIf((user: UserUpdate) => user.disabled !== undefined)
  @IsBoolean()
  disabled?: boolean
}

export class UserQuery extends PageQuery {
  @Filter({ description: 'Users of this name.' }) name?: string[]
  @Filter({ enum: userKinds, description: 'People, or services.' }) kind?: UserKind[]
  @Filter({ enum: ['false', 'true'], description: 'Whether they are disabled.' }) disabled?: string[]
}

export class UserView {
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  id!: string
  kind!: UserKind
  /** @example kim */
  name!: string
  /** @example Kim Doe */
  displayName!: string
  /** @example kim@example.org */
  email!: string | null
  disabled!: boolean
  /** Whether a password opens the account. */
  hasPassword!: boolean
  /** Whether a new password comes before everything else. */
  mustChangePassword!: boolean
  /**
   * By failed sign-ins; null or past: they may sign in.
   * @example null
   */
  lockedUntil!: string | null
  /** @example 2026-01-31T12:00:00.000Z */
  lastLoginAt!: string | null
  /**
   * What the ETag shows.
   * @example 1
   */
  generation!: number
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
}

export class OneTimePasswordView {
  /** @example kim */
  name!: string
  /**
   * Shown now and never again; it opens nothing but the choice of another.
   * @example hk2mp-9w3xa-rt7qd-b4fzn-c8vye
   */
  oneTimePassword!: string
}

export function viewUser(user: User): UserView {
  return {
    id: user.id,
    kind: user.kind,
    name: user.name,
    displayName: user.displayName,
    email: user.email,
    disabled: user.disabled,
    hasPassword: user.passwordHash !== null,
    mustChangePassword: user.mustChangePassword,
    lockedUntil: user.lockedUntil?.toISOString() ?? null,
    lastLoginAt: user.lastLoginAt?.toISOString() ?? null,
    generation: user.generation,
    createdAt: user.createdAt.toISOString(),
  }
}
