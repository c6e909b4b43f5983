import type { Command } from 'commander'
import { ExitError, exitCodes } from '../config/exit.js'
import { loadKeys } from '../config/load.js'
import type { SealedCount } from '../engine/platform/resealing.js'
import { createLogger } from '../log/logger.js'
import { requireOwnSchema, withDatabase } from './database.js'
import { type Options, requestOf, withKeys } from './flags.js'

const names = ['databaseUrl', 'dataDir', 'sealingKeys', 'sealingKeyFile', 'logLevel', 'logFormat'] as const

/** The keys that secrets in the database are sealed with. None is ever printed but the new one. */
export function keysCommand(parent: Command): void {
  const keys = parent.command('keys').description('the keys that secrets in the database are sealed with')
  keys.command('generate').description('print a new key, for the first line of the key file').action(generate)
  withKeys(keys.command('status').description('count what each key seals, by its id'), 'engine', names).action(status)
  withKeys(
    keys.command('rotate').description('seal everything anew with the first key, and forget keys that nothing needs'),
    'engine',
    names,
  ).action(rotate)
}

async function generate(): Promise<void> {
  const { newSealingKey } = await import('../engine/platform/sealing-keys.js')
  console.log(newSealingKey())
}

async function status(options: Options): Promise<void> {
  const config = loadKeys('engine', names, requestOf(options))
  const logger = createLogger('keys', config)
  const { sealerFrom } = await import('../engine/platform/sealing-keys.js')
  const { countSealed } = await import('../engine/platform/resealing.js')
  await withDatabase(config, logger, async (dataSource) => {
    await requireOwnSchema(dataSource)
    const sealer = await sealerFrom(config)
    const counts = await countSealed(dataSource)
    const checks: { key_id: string }[] = await dataSource.query('SELECT key_id FROM sealing_checks ORDER BY key_id')
    const used = counts.flatMap(({ keyId }) => keyId ?? [])
    for (const id of new Set([...sealer.keyIds, ...checks.map((check) => check.key_id), ...used])) {
      const place = id === sealer.current.id ? 'current' : sealer.keyIds.includes(id) ? 'at hand' : 'NOT AT HAND'
      console.log(`${id}  ${place}: ${describe(counts.filter(({ keyId }) => keyId === id))}`)
    }
    const bare = counts.filter(({ keyId }) => keyId === null)
    if (bare.length > 0) console.log(`not sealed: ${describe(bare)}`)
  })
}

async function rotate(options: Options): Promise<void> {
  const config = loadKeys('engine', names, requestOf(options))
  const logger = createLogger('keys', config)
  const { checkSealer, sealerFrom } = await import('../engine/platform/sealing-keys.js')
  const { recordLocalChange } = await import('../engine/identity/audit-local.js')
  const { resealAll } = await import('../engine/platform/resealing.js')
  await withDatabase(config, logger, async (dataSource) => {
    await requireOwnSchema(dataSource)
    const sealer = await sealerFrom(config)
    await checkSealer(dataSource, sealer, logger)
    const { resealed, broken, unneeded } = await resealAll(dataSource, sealer)
    const subjects = [`sealing-key/${sealer.current.id}`]
    await dataSource.transaction((tx) =>
      recordLocalChange(tx, { operation: 'keys.rotate', command: 'keelson keys rotate', subjects }),
    )
    console.log(`sealed anew with ${sealer.current.id}: ${resealed}`)
    if (broken.length > 0) {
      throw new ExitError(exitCodes.failed, `no key at hand opens these, which are as they were: ${broken.join(', ')}`)
    }
    const words = unneeded.join(', ')
    console.log(words ? `no longer needed, once no engine seals with it: ${words}` : 'no other key is in use')
  })
}

function describe(counts: readonly SealedCount[]): string {
  if (counts.length === 0) return 'nothing'
  return counts.map(({ table, column, count }) => `${count} in ${table}.${column}`).join(', ')
}
