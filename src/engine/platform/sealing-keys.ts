import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { DataSource } from 'typeorm'
import { ExitError, exitCodes } from '../../config/exit.js'
import type { Logger } from '../../log/logger.js'
import { makePrivateFile } from './private-file.js'
import { SealBroken, Sealer, type SealingKey, sealingKeyOf } from './sealing.js'

export interface SealingKeySources {
  /** Keys as text, the current one first: from the environment. */
  readonly sealingKeys: string | null
  readonly sealingKeyFile: string | null
  /** Null: an embedded Postgres, whose key is made at first start and lies beside it. */
  readonly databaseUrl: string | null
  readonly dataDir: string
}

const KEY_BYTES = 32
const FILE = 'sealing-keys'

export const newSealingKey = (): string => randomBytes(KEY_BYTES).toString('base64')

/** The keys that this replica is given (E7). @throws ExitError when there are none, or they are none */
export async function sealerFrom(sources: SealingKeySources): Promise<Sealer> {
  const { text, source } = await textFrom(sources)
  const keys = parse(text, source)
  const [current, ...older] = keys
  if (!current) throw misconfigured(`${source} holds no sealing key`)
  return new Sealer(current, older)
}

async function textFrom(sources: SealingKeySources): Promise<{ text: string; source: string }> {
  const { sealingKeys, sealingKeyFile, databaseUrl, dataDir } = sources
  if (sealingKeys !== null) return { text: sealingKeys, source: 'sealingKeys (KEELSON_SEALING_KEYS)' }
  if (sealingKeyFile !== null) return { text: await read(sealingKeyFile), source: sealingKeyFile }
  if (databaseUrl !== null) {
    throw misconfigured(
      'secrets in the database are sealed: give every replica the same sealingKeyFile (KEELSON_SEALING_KEY_FILE). ' +
        '`keelson keys generate` makes a key',
    )
  }
  const path = join(dataDir, FILE)
  // never over one that is there: what it sealed would be lost
  await makePrivateFile(path, `${newSealingKey()}\n`)
  return { text: await read(path), source: path }
}

/** A line, or a part between commas, each; what follows a # is a remark. */
function parse(text: string, source: string): SealingKey[] {
  const parts = text.split(/[\n,]/).map((line) => line.replace(/#.*/, '').trim())
  return parts.filter(Boolean).map((part) => {
    const bytes = Buffer.from(part, 'base64')
    if (bytes.length === KEY_BYTES && /^[A-Za-z0-9+/]+={0,2}$/.test(part)) return sealingKeyOf(bytes)
    throw misconfigured(
      `${source}: a sealing key is ${KEY_BYTES} bytes in base64, as \`keelson keys generate\` makes them`,
    )
  })
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw misconfigured(`the sealing key file ${path} cannot be read: ${(cause as Error).message}`, cause)
  }
}

const placeOf = (keyId: string): string => `sealing_checks.sealed/${keyId}`
const CHECK = 'this database is ours'

/**
 * Holds the keys against the database's check values: each key that something may be sealed with has one. A replica with a
 * key that is none of the database's, or without one that it needs, must not serve.
 * @throws ExitError
 */
export async function checkSealer(dataSource: DataSource, sealer: Sealer, logger: Pick<Logger, 'info'>): Promise<void> {
  await dataSource.transaction(async (tx) => {
    await tx.query('LOCK TABLE sealing_checks IN SHARE ROW EXCLUSIVE MODE')
    const checks: { key_id: string; sealed: string }[] = await tx.query('SELECT key_id, sealed FROM sealing_checks')
    for (const { key_id: keyId, sealed } of checks) requireOpens(sealer, keyId, sealed)
    const { id } = sealer.current
    if (checks.some((check) => check.key_id === id)) return
    await tx.query('INSERT INTO sealing_checks (key_id, sealed) VALUES ($1, $2)', [id, sealer.seal(CHECK, placeOf(id))])
    logger.info({ keyId: id }, checks.length > 0 ? 'a new sealing key is in use' : 'the sealing key is in use')
  })
}

function requireOpens(sealer: Sealer, keyId: string, sealed: string): void {
  try {
    if (sealer.openText(sealed, placeOf(keyId)) === CHECK) return
  } catch (error) {
    if (!(error instanceof SealBroken)) throw error
  }
  throw misconfigured(
    `secrets in this database are sealed with key ${keyId}, which is not among those at hand (${sealer.keyIds.join(', ')})`,
  )
}

const misconfigured = (message: string, cause?: unknown): ExitError =>
  new ExitError(exitCodes.configuration, message, { cause })
