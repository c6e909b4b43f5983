import { execFile } from 'node:child_process'
import { access } from 'node:fs/promises'
import { promisify } from 'node:util'

/** Where Debian puts what is not on the path. */
const PLACES = ['pgbench', ...['18', '17', '16', '15'].map((v) => `/usr/lib/postgresql/${v}/bin/pgbench`)]

const run = promisify(execFile)

export interface PgbenchOrder {
  readonly program: string
  readonly url: string
  readonly scripts: readonly string[]
  readonly clients: number
  readonly forMs: number
}

/** Null where there is none: the embedded Postgres does not bring it. */
export async function findPgbench(): Promise<string | null> {
  for (const place of PLACES) {
    if (
      place.startsWith('/') &&
      (await access(place).then(
        () => false,
        () => true,
      ))
    )
      continue
    if (
      await run(place, ['--version']).then(
        () => true,
        () => false,
      )
    )
      return place
  }
  return null
}

/** @returns transactions a second, prepared statements, without the time to connect */
export async function pgbench({ program, url, scripts, clients, forMs }: PgbenchOrder): Promise<number> {
  const seconds = String(Math.max(1, Math.round(forMs / 1_000)))
  const files = scripts.flatMap((script) => ['--file', script])
  const args = [
    '--no-vacuum',
    '--protocol=prepared',
    `--client=${clients}`,
    '--jobs=1',
    `--time=${seconds}`,
    ...files,
    url,
  ]
  const { stdout } = await run(program, args, { timeout: forMs + 60_000 })
  const tps = /^tps = ([\d.]+) \(without/m.exec(stdout)?.[1]
  if (!tps || /number of failed transactions: [1-9]/.test(stdout)) throw new Error(`pgbench said:\n${stdout}`)
  return Number(tps)
}
