import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { openCluster, POSTGRES_ROLE } from '../../src/engine/platform/postgres-cluster.js'
import { startPostmaster } from '../../src/engine/platform/postmaster.js'

/** Fast and forgetful: nothing is written through. */
const scratchSettings = { fsync: 'off', synchronous_commit: 'off', full_page_writes: 'off', max_connections: '300' }

/** A server that outlives the test file which starts it; the global teardown ends it. Answers its address. */
export async function startScratchPostgres(directory: string, port: number): Promise<string> {
  await mkdir(directory, { recursive: true })
  const cluster = await openCluster(join(directory, 'postgres'))
  await startPostmaster(cluster, port, scratchSettings)
  return `postgres://${POSTGRES_ROLE}:${cluster.password}@127.0.0.1:${port}/postgres`
}
