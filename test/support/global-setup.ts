// Jest loads this file as CommonJS and does not map './x.js' to './x.ts' here: it imports nothing of ours.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const PREFIX = 'keelson-test-'
const SHUTDOWN_MS = 10_000

/**
 * One directory per run, for the Postgres that the first test file to need one starts in it (`database.ts`). What earlier
 * runs left behind because they were killed is cleared away.
 */
export default function setup(): void {
  for (const name of readdirSync(tmpdir())) {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]
    if (owner && !existsSync(`/proc/${owner}`)) clear(join(tmpdir(), name))
  }
  const directory = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`))
  process.env.TEST_POSTGRES_DIR = directory
  Object.assign(globalThis, { clearTestPostgres: () => clear(directory) })
}

function clear(directory: string): void {
  const pidFile = join(directory, 'postgres', 'data', 'postmaster.pid')
  if (existsSync(pidFile)) {
    const pid = Number(readFileSync(pidFile, 'utf8').split('\n')[0])
    const command = existsSync(`/proc/${pid}/cmdline`) ? readFileSync(`/proc/${pid}/cmdline`, 'utf8') : ''
    if (command.includes(directory)) stop(pid)
  }
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
}

/** Nothing in it is worth a checkpoint. */
function stop(pid: number): void {
  process.kill(pid, 'SIGQUIT')
  const deadline = Date.now() + SHUTDOWN_MS
  while (existsSync(`/proc/${pid}/exe`) && Date.now() < deadline) execFileSync('sleep', ['0.05'])
}
