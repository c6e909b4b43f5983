import { type Caller, includes, type Role } from '../platform/caller.js'
import type { Database } from '../platform/database.js'

interface UserRow {
  user_id: string
  name: string
  must_change_password: boolean
  roles: Readonly<Record<string, Role>>
}

interface TokenRow extends UserRow {
  secret_hash: Buffer
  token_name: string
  role: Role | null
  project_id: string | null
  unlimited: boolean
  expires_at: Date | null
}

interface SessionRow extends UserRow {
  secret_hash: Buffer
}

/** Somebody who could be identified, with what proves it. */
export interface Known {
  readonly secretHash: Buffer
  /** Of a token; null: never, or the database has looked. */
  readonly expiresAt: Date | null
  readonly caller: Caller
  /** What it is called: its user's name, and the token's own if it is one. */
  readonly names: readonly string[]
}

/** `plane` stands for the whole plane. */
const ROLES = `(SELECT coalesce(jsonb_object_agg(coalesce(b.project_id::text, 'plane'), b.role), '{}')
  FROM role_bindings b WHERE b.user_id = u.id) AS roles`

/** Null where there is no such token, or it was revoked, or its user is disabled. */
export async function findToken(database: Database, id: string): Promise<Known | null> {
  const [row] = await database.query<TokenRow>(
    'identity_token',
    `SELECT u.id AS user_id, u.name, u.must_change_password, ${ROLES},
       t.secret_hash, t.name AS token_name, t.role, t.project_id, t.unlimited, t.expires_at
     FROM api_tokens t JOIN users u ON u.id = t.user_id
     WHERE t.id = $1 AND t.revoked_at IS NULL AND NOT u.disabled`,
    [id],
  )
  if (!row) return null
  const name = `${row.name} (token ${row.token_name})`
  // a token is no person who could choose a password
  const whole = { ...callerOf(row), name, tokenId: id, unlimited: row.unlimited, mustChangePassword: false }
  const caller = limited(whole, row.role, row.project_id)
  return { secretHash: row.secret_hash, expiresAt: row.expires_at, caller, names: [row.name, row.token_name] }
}

/** Null where there is no such session, or it has expired, or its user is disabled. */
export async function findSession(database: Database, id: string, lifetimeMs: number): Promise<Known | null> {
  const [row] = await database.query<SessionRow>(
    'identity_session',
    `SELECT u.id AS user_id, u.name, u.must_change_password, ${ROLES}, s.secret_hash
     FROM web_sessions s JOIN users u ON u.id = s.user_id WHERE s.id = $1 AND NOT u.disabled
       AND s.expires_at > now() AND s.created_at > now() - $2::float8 * interval '1 millisecond'`,
    [id, lifetimeMs],
  )
  if (!row) return null
  const caller = { ...callerOf(row), sessionId: id }
  return { secretHash: row.secret_hash, expiresAt: null, caller, names: [row.name] }
}

function callerOf(row: UserRow): Caller {
  const { plane = null, ...projects } = row.roles
  return {
    userId: row.user_id,
    name: row.name,
    tokenId: null,
    sessionId: null,
    plane,
    projects: new Map(Object.entries(projects)),
    mustChangePassword: row.must_change_password,
    unlimited: false,
  }
}

/** What a token may is the lesser of what it was made for and what its user may. */
function limited(caller: Caller, most: Role | null, projectId: string | null): Caller {
  const cap = (role: Role): Role => (most !== null && includes(role, most) ? most : role)
  const projects = new Map([...caller.projects].map(([id, role]) => [id, cap(role)]))
  const plane = caller.plane && cap(caller.plane)
  if (projectId === null) return { ...caller, plane, projects }
  const roles = [plane, projects.get(projectId)].filter((role) => role != null)
  const best = roles.find((role) => roles.every((other) => includes(role, other)))
  return { ...caller, plane: null, projects: new Map(best ? [[projectId, best]] : []) }
}
