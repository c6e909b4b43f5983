import { IsOptional, IsString, Matches, MaxLength } from 'class-validator'
import type { Role } from '../platform/caller.js'
import type { UserKind } from './user.entity.js'

/** Any password that was ever taken; its own rules are looked at where one is chosen. */
const PASSWORD = /^[^\p{Cc}]{1,256}$/u

export class SignInRequest {
  /** @example kim */
  @Matches(/^[^\p{Cc}\p{Z}]{1,128}$/u)
  name!: string

  /** @example correct horse battery staple */
  @Matches(PASSWORD, { message: 'password must be 1 to 256 characters' })
  password!: string
}

export class PasswordChange {
  /**
   * The one that is to end; a one-time password is one.
   * @example hk2mp-9w3xa-rt7qd-b4fzn-c8vye
   */
  @Matches(PASSWORD, { message: 'current must be 1 to 256 characters' })
  current!: string

  /**
   * 12 to 256 characters.
   * @example correct horse battery staple
   */
  @Matches(PASSWORD, { message: 'next must be 12 to 256 characters' })
  next!: string
}

export class ProjectRoleView {
  /** @example 00000000-0000-4000-8000-00000000d0d0 */
  projectId!: string
  /** @example default */
  name!: string
  role!: Role
}

/** Who calls, and what they may. */
export class SessionView {
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  userId!: string
  /** @example kim */
  name!: string
  /** @example Kim Doe */
  displayName!: string
  kind!: UserKind
  /** Whether nothing but a new password comes next. */
  mustChangePassword!: boolean
  /** In the whole plane, every project among it. */
  role!: Role | null
  projects!: ProjectRoleView[]
  /**
   * Of a call by API token; null: by the session of a browser.
   * @example null
   */
  tokenId!: string | null
}

export class OidcBegin {
  /** Where to go on once signed in: a path of this plane; anything else is `/`. */
  @IsOptional()
  @IsString()
  @MaxLength(1_000)
  returnTo?: string
}

/** A way to sign in beside the password. */
export class SignInProviderView {
  /** @example corporate */
  name!: string
  /** @example Example Inc. */
  displayName!: string
  /**
   * Where to send the browser; `?returnTo=/…` says where it goes on afterwards.
   * @example /api/v1/session/oidc/corporate
   */
  path!: string
}

export class SignInProviders {
  items!: SignInProviderView[]
}
