import { type Caller, includes, mayInPlane, mayInProject, type Role } from '../platform/caller.js'
import { Forbidden, Invalid } from '../platform/errors.js'
import type { ApiToken } from './api-token.entity.js'
import type { TokenCreate } from './token.dto.js'
import type { UserKind } from './user.entity.js'

/** What bounds a token that is made by another: nothing where a session makes it, or an administrator for a service. */
export type Maker = Pick<ApiToken, 'role' | 'projectId' | 'expiresAt'>

export const unbounded: Maker = { role: null, projectId: null, expiresAt: null }

export interface TokenTerms {
  readonly role: Role | null
  readonly projectId: string | null
  readonly unlimited: boolean
  readonly expiresAt: Date | null
}

const DAY_MS = 86_400_000
const DEFAULT_LIFE_MS = 90 * DAY_MS
const LONGEST_LIFE_MS = 366 * DAY_MS

/** The terms of a new token: what was not said is as its maker's. @throws Invalid, or Forbidden where it would be more */
export function termsOf(
  asked: TokenCreate,
  caller: Caller,
  maker: Maker,
  kind: UserKind,
  now = new Date(),
): TokenTerms {
  if (asked.unlimited && !mayInPlane(caller, 'admin')) {
    throw new Forbidden('only an administrator of the plane makes tokens that are not limited')
  }
  return {
    role: roleOf(asked.role ?? maker.role, maker),
    projectId: projectOf(asked.projectId ?? maker.projectId, caller, maker),
    unlimited: asked.unlimited ?? false,
    expiresAt: endOf(asked.expiresAt, maker, kind, now),
  }
}

function roleOf(role: Role | null, maker: Maker): Role | null {
  if (maker.role !== null && role !== null && !includes(maker.role, role)) throw tooMuch(`the role ${role}`)
  return role
}

function projectOf(projectId: string | null, caller: Caller, maker: Maker): string | null {
  if (maker.projectId !== null && projectId !== maker.projectId) throw tooMuch('another project')
  // one that the caller cannot see is told as one that is not there
  if (projectId !== null && !mayInProject(caller, projectId, 'viewer')) throw noProject()
  return projectId
}

function endOf(asked: string | null | undefined, maker: Maker, kind: UserKind, now: Date): Date | null {
  const end = asked === undefined ? usualEnd(maker, now) : asked === null ? null : new Date(asked)
  if (end === null && kind === 'person') throw badEnd("a person's token ends: null is for services")
  if (end !== null && end <= now) throw badEnd('must be in the future')
  if (end !== null && kind === 'person' && end.getTime() - now.getTime() > LONGEST_LIFE_MS) {
    throw badEnd("a person's token ends within 366 days")
  }
  if (maker.expiresAt !== null && (end === null || end > maker.expiresAt)) throw tooMuch('a longer life')
  return end
}

function usualEnd({ expiresAt }: Maker, now: Date): Date {
  const usual = new Date(now.getTime() + DEFAULT_LIFE_MS)
  return expiresAt !== null && expiresAt < usual ? expiresAt : usual
}

const tooMuch = (what: string): Forbidden =>
  new Forbidden(`this token cannot make one with ${what}: it has that not itself`)

export const noProject = (): Invalid =>
  new Invalid('there is no such project', [{ field: 'projectId', message: 'there is no such project' }])

const badEnd = (message: string): Invalid => new Invalid('the token cannot end then', [{ field: 'expiresAt', message }])
