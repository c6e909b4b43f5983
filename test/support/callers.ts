import { randomUUID } from 'node:crypto'
import { TOKEN_PREFIX } from '../../src/engine/identity/authentication.js'
import { hashOf, newSecret, writeCredential } from '../../src/engine/identity/secrets.js'
import type { Role } from '../../src/engine/platform/caller.js'
import type { TestEngine } from './engine.js'
import { type HttpClient, http } from './http.js'

export interface TestCaller {
  readonly userId: string
  readonly tokenId: string
  readonly token: string
  readonly http: HttpClient
}

export interface Roles {
  readonly plane?: Role
  /** By project. */
  readonly projects?: Readonly<Record<string, Role>>
}

export interface TokenOptions {
  /** The most that it may do. */
  readonly role?: Role
  /** The one project that it is good for. */
  readonly projectId?: string
  readonly state?: 'good' | 'expired' | 'revoked'
}

const states = {
  good: { expires: `now() + interval '1 hour'`, revoked: 'NULL' },
  expired: { expires: `now() - interval '1 second'`, revoked: 'NULL' },
  revoked: { expires: 'NULL', revoked: 'now()' },
}

export async function createProject({ http }: TestEngine, name = `project-${randomUUID()}`): Promise<string> {
  return (await http.post('/api/v1/projects', { name })).body.id
}

export async function createUser(engine: TestEngine, roles: Roles = {}): Promise<string> {
  const [user] = await engine.query<{ id: string }>(
    `INSERT INTO users (kind, name) VALUES ('service', $1) RETURNING id`,
    [`user-${randomUUID()}`],
  )
  const places = [...(roles.plane ? [[null, roles.plane]] : []), ...Object.entries(roles.projects ?? {})]
  for (const [projectId, role] of places) {
    const sql = 'INSERT INTO role_bindings (user_id, project_id, role) VALUES ($1, $2, $3)'
    await engine.query(sql, [user!.id, projectId, role])
  }
  return user!.id
}

export async function issue(engine: TestEngine, userId: string, options: TokenOptions = {}): Promise<TestCaller> {
  const secret = newSecret()
  const { expires, revoked } = states[options.state ?? 'good']
  const [row] = await engine.query<{ id: string }>(
    `INSERT INTO api_tokens (user_id, name, secret_hash, role, project_id, expires_at, revoked_at)
     VALUES ($1, 'test', $2, $3, $4, ${expires}, ${revoked}) RETURNING id`,
    [userId, hashOf(secret), options.role ?? null, options.projectId ?? null],
  )
  const token = writeCredential(TOKEN_PREFIX, { id: row!.id, secret })
  return { userId, tokenId: row!.id, token, http: http(engine.url, { token }) }
}

/** Somebody new with these roles, and a token. */
export async function callerWith(engine: TestEngine, roles: Roles, options: TokenOptions = {}): Promise<TestCaller> {
  return issue(engine, await createUser(engine, roles), options)
}
