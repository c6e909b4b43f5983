import { randomUUID } from 'node:crypto'
import type { Role } from '../platform/caller.js'
import type { Tx } from '../platform/database.js'
import { ApiToken } from './api-token.entity.js'
import { TOKEN_PREFIX } from './authentication.js'
import { hashOf, newSecret, writeCredential } from './secrets.js'
import { User } from './user.entity.js'

export interface NewToken {
  readonly userId: string
  readonly name: string
  readonly role?: Role | null
  readonly projectId?: string | null
  readonly unlimited?: boolean
  readonly expiresAt?: Date | null
}

/** @returns the token's row, and its text: it is shown now or never */
export async function issueToken(tx: Tx, token: NewToken): Promise<{ row: ApiToken; text: string }> {
  const id = randomUUID()
  const secret = newSecret()
  const row = await tx.save(tx.create(ApiToken, { ...token, id, secretHash: hashOf(secret) }))
  return { row, text: writeCredential(TOKEN_PREFIX, { id, secret }) }
}

/** A service that administers the whole plane, for programs beside the engine; made where it is not there. */
export async function administratingService(tx: Tx, name: string): Promise<string> {
  await tx.query(
    `WITH made AS (INSERT INTO users (kind, name, display_name) VALUES ('service', $1, $1)
       ON CONFLICT (name) DO NOTHING RETURNING id)
     INSERT INTO role_bindings (user_id, role) SELECT id, 'admin' FROM made`,
    [name],
  )
  const user = await tx.findOneByOrFail(User, { name })
  return user.id
}
