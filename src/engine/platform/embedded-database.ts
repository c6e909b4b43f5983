import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ExitError, exitCodes } from '../../config/exit.js'
import { DataDirectoryInUse } from './data-directory-lock.js'
import { databaseUrlOf, type EmbeddedPostgresOptions, startEmbeddedPostgres } from './embedded-postgres.js'
import { openCluster } from './postgres-cluster.js'
import { findPostmaster } from './postmaster.js'

const PATIENCE_MS = 30_000
const RETRY_MS = 250

/**
 * The embedded database beside its engine: that of a running one is shared, else it is started for as long as it takes. None
 * is made where there is none.
 */
export async function openEmbeddedDatabase(
  options: EmbeddedPostgresOptions,
): Promise<{ url: string; close(): Promise<void> }> {
  const root = join(options.dataDir, 'postgres')
  await requireCluster(root)
  const givenUpMs = performance.now() + PATIENCE_MS
  for (;;) {
    try {
      const postgres = await startEmbeddedPostgres(options)
      return { url: postgres.url, close: () => postgres.stop() }
    } catch (error) {
      if (!(error instanceof DataDirectoryInUse)) throw error
      const url = await runningUrl(root)
      if (url) return { url, close: async () => undefined }
      // its engine is just starting, or about to end
      if (performance.now() > givenUpMs) throw error
      await pause(RETRY_MS)
    }
  }
}

async function requireCluster(root: string): Promise<void> {
  try {
    await access(join(root, 'data', 'PG_VERSION'))
  } catch (cause) {
    const message = `there is no database in ${root}: say which by --data-dir, or by DATABASE_URL (${(cause as Error).message})`
    throw new ExitError(exitCodes.directory, message, { cause })
  }
}

async function runningUrl(root: string): Promise<string | null> {
  const cluster = await openCluster(root)
  const postmaster = await findPostmaster(cluster)
  return postmaster && databaseUrlOf(cluster, postmaster.port)
}
