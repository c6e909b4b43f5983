import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmod, chown, mkdir, open, readdir, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { ExitError, exitCodes } from '../../config/exit.js'
import { type PostgresAccount, type PostgresBinaries, postgresBinaries } from './postgres-binaries.js'

/** An initialised data directory, and what it takes to run it. */
export interface PostgresCluster {
  readonly account: PostgresAccount
  readonly binaries: PostgresBinaries
  /** PGDATA, as the postmaster names it in its pid file. */
  readonly data: string
  /** Where the postmaster writes until it is up, and what it has to say afterwards. */
  readonly logFile: string
  readonly password: string
}

export const POSTGRES_ROLE = 'keelson'

const INITDB_TIMEOUT_MS = 120_000
/** "nobody": owns nothing else, and exists without an account. */
const UNPRIVILEGED = 65_534

/**
 * Opens the cluster in `<root>/data`, or makes it: initdb works in a directory beside, which is renamed when it is whole.
 * Everything of the cluster's lies in `root`; `packageDir` is where the binaries come from, if not from node_modules.
 */
export async function openCluster(root: string, packageDir?: string): Promise<PostgresCluster> {
  const data = join(root, 'data')
  const version = await readTrimmed(join(data, 'PG_VERSION'))
  const account = await accountFor(version === null ? null : data)
  await makeTraversable(root, account)
  await removeUnfinished(root)

  const binaries = await postgresBinaries(account, root, packageDir)
  if (version !== null && Number(version) !== binaries.major) throw otherVersion(data, version, binaries.major)
  const cluster = { account, binaries, data, logFile: join(root, 'postgres.log') }
  if (version !== null) return { ...cluster, password: await requirePassword(root) }

  const password = randomBytes(24).toString('base64url')
  await writeDurably(join(root, 'password'), password)
  await initialise(root, { ...cluster, password })
  return { ...cluster, password }
}

/** As root, Postgres runs as whoever owns its data; it refuses to run as root. */
async function accountFor(data: string | null): Promise<PostgresAccount> {
  const self = process.getuid?.() ?? -1
  const owner = data === null ? null : await stat(data)
  if (self === 0) {
    return owner && owner.uid !== 0 ? { uid: owner.uid, gid: owner.gid } : { uid: UNPRIVILEGED, gid: UNPRIVILEGED }
  }
  if (owner && owner.uid !== self) {
    throw new ExitError(
      exitCodes.directory,
      `${data} belongs to uid ${owner.uid}: start the engine as that user, or as root`,
    )
  }
  return null
}

/**
 * Lets the account's group pass through our own two directories, and through what `mktemp -d` closed around them; other
 * directories above are not ours to open.
 */
async function makeTraversable(root: string, account: PostgresAccount): Promise<void> {
  await mkdir(root, { recursive: true, mode: 0o700 })
  if (!account) return
  const temporary = await realpath(tmpdir())
  for (let directory = root; directory !== dirname(directory); directory = dirname(directory)) {
    const found = await stat(directory)
    if (canTraverse(found, account)) continue
    const ours = directory === root || directory === dirname(root) || directory.startsWith(`${temporary}/`)
    if (!ours) throw closedDirectory(directory, account.uid)
    await chown(directory, found.uid, account.gid)
    await chmod(directory, (found.mode & 0o7777) | 0o010)
  }
}

function canTraverse(
  { uid, gid, mode }: { uid: number; gid: number; mode: number },
  account: NonNullable<PostgresAccount>,
) {
  if (uid === account.uid) return (mode & 0o100) !== 0
  if (gid === account.gid) return (mode & 0o010) !== 0
  return (mode & 0o001) !== 0
}

/** What an initdb that was killed left behind. */
async function removeUnfinished(root: string): Promise<void> {
  for (const name of await readdir(root)) {
    if (name.startsWith('data.new')) await rm(join(root, name), { recursive: true, force: true })
  }
}

async function initialise(root: string, { account, binaries, data, password }: PostgresCluster): Promise<void> {
  const unfinished = await mkdirFor(account, join(root, 'data.new'))
  const passwordFile = join(root, 'data.new-password')
  await writeFile(passwordFile, password, { mode: 0o600 })
  if (account) await chown(passwordFile, account.uid, account.gid)
  const args = ['--pgdata', unfinished, '--username', POSTGRES_ROLE, '--pwfile', passwordFile, ...initdbSettings]
  try {
    await promisify(execFile)(binaries.initdb, args, {
      cwd: unfinished,
      env: { LC_ALL: 'C', TZ: 'UTC' },
      timeout: INITDB_TIMEOUT_MS,
      ...account,
    })
  } catch (cause) {
    const words = (cause as { stderr?: string }).stderr?.trim() || (cause as Error).message
    throw new ExitError(exitCodes.directory, `initdb could not make ${data}: ${words}`, { cause })
  }
  await rm(passwordFile)
  await rename(unfinished, data)
  await syncDirectory(root)
}

/** UTF-8 in code point order, the same on every machine whatever locales it has. */
const initdbSettings = [
  '--auth=scram-sha-256',
  '--encoding=UTF8',
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--no-instructions',
]

async function mkdirFor(account: PostgresAccount, path: string): Promise<string> {
  await mkdir(path, { mode: 0o700 })
  if (account) await chown(path, account.uid, account.gid)
  return path
}

async function requirePassword(root: string): Promise<string> {
  const password = await readTrimmed(join(root, 'password'))
  if (password) return password
  throw new ExitError(
    exitCodes.directory,
    `${join(root, 'password')} is missing: the database's password is in no other place`,
  )
}

async function readTrimmed(path: string): Promise<string | null> {
  try {
    return (await readFile(path, 'utf8')).trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600)
  try {
    await file.writeFile(text)
    await file.sync()
  } finally {
    await file.close()
  }
  await syncDirectory(dirname(path))
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r')
  try {
    await directory.sync()
  } finally {
    await directory.close()
  }
}

function otherVersion(data: string, found: string, major: number): ExitError {
  const message =
    `${data} was made by Postgres ${found}, and this build brings Postgres ${major}: dump it with a Postgres ${found} ` +
    'and load it into a new data directory, or run that server yourself and set DATABASE_URL'
  return new ExitError(exitCodes.directory, message)
}

function closedDirectory(directory: string, uid: number): ExitError {
  const message =
    `${directory} is closed to uid ${uid}, under which Postgres runs when the engine is started as root: ` +
    'choose a data directory elsewhere, for example below /var/lib'
  return new ExitError(exitCodes.directory, message)
}
