import { execFile, execFileSync } from 'node:child_process'
import { promisify } from 'node:util'
import type { OutsidePostgres } from './outside-postgres.js'

const MAX_BYTES = 256 * 1024 * 1024

/** Whether Postgres' own tools for it are here (Debian: postgresql-client). */
export const canDump = ['pg_dump', 'psql'].every((program) => {
  try {
    execFileSync(program, ['--version'])
    return true
  } catch {
    return false
  }
})

export async function dump(from: OutsidePostgres): Promise<string> {
  const { stdout } = await promisify(execFile)('pg_dump', ['--no-owner', from.url], { maxBuffer: MAX_BYTES })
  return stdout
}

/** What was there is gone. */
export async function restore(text: string, to: OutsidePostgres): Promise<void> {
  await to.empty()
  const running = promisify(execFile)('psql', ['--quiet', '--no-psqlrc', '-v', 'ON_ERROR_STOP=1', to.url], {
    maxBuffer: MAX_BYTES,
  })
  running.child.stdin?.end(text)
  await running
}
