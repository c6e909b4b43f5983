import type { Tx } from '../platform/database.js'
import { Conflict } from '../platform/errors.js'

/** One number for all who take an administrator away. */
const ADMINISTRATORS_LOCK = 0x6b61646d

/** A person without a password and without a provider that signs them in is an administrator who cannot come. */
const CAN_COME = `(u.kind = 'service' OR u.password_hash IS NOT NULL OR EXISTS (
  SELECT FROM external_identities x JOIN identity_providers p ON p.issuer = x.issuer AND p.enabled
  WHERE x.user_id = u.id))`

/** Enabled, and by a role that was given here: a provider's groups are somebody else's to change. */
const ADMINISTRATORS = `role_bindings b JOIN users u ON u.id = b.user_id
  WHERE b.project_id IS NULL AND b.role = 'admin' AND b.provider_id IS NULL AND NOT u.disabled AND ${CAN_COME}`

/**
 * Call it before the user loses the role, is disabled or is removed: two at once pass one by one, so that the second sees what
 * the first has done. Services alone do not count where there is a person: nobody could sign in with them.
 * @throws Conflict when nobody else who is enabled administers the plane
 */
export async function requireAnotherAdministrator(tx: Tx, userId: string): Promise<void> {
  await tx.query('SELECT pg_advisory_xact_lock($1)', [ADMINISTRATORS_LOCK])
  const administrators: { id: string; kind: string }[] = await tx.query(`SELECT u.id, u.kind FROM ${ADMINISTRATORS}`)
  const own = administrators.find(({ id }) => id === userId)
  const others = administrators.filter(({ id, kind }) => id !== userId && (own?.kind !== 'person' || kind === 'person'))
  if (!own || others.length > 0) return
  throw new Conflict(`user ${userId} is the last administrator of the plane`, 'last-administrator')
}

/**
 * Call it with what takes a way of signing in from many: whoever it leaves without an administrator who is a person, where there
 * was one, has gone too far. @throws Conflict
 */
export async function keepingAnAdministrator<T>(tx: Tx, change: () => Promise<T>): Promise<T> {
  await tx.query('SELECT pg_advisory_xact_lock($1)', [ADMINISTRATORS_LOCK])
  const before = await anybodyComes(tx)
  const result = await change()
  if (before && !(await anybodyComes(tx))) {
    throw new Conflict('no administrator of the plane could sign in any more', 'last-administrator')
  }
  return result
}

async function anybodyComes(tx: Tx): Promise<boolean> {
  const [row] = await tx.query(`SELECT EXISTS (SELECT FROM ${ADMINISTRATORS} AND u.kind = 'person') AS found`)
  return row.found
}
