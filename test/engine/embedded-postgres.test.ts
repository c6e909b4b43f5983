import { cp, mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import pg from 'pg'
import { type EmbeddedPostgres, startEmbeddedPostgres } from '../../src/engine/platform/embedded-postgres.js'
import { createLogger } from '../../src/log/logger.js'
import { eventually } from '../support/eventually.js'
import { nodeScript, type TestProcess } from '../support/process.js'

const logger = createLogger('test', { logLevel: 'silent', logFormat: 'json' })
const asRoot = process.getuid?.() === 0 ? it : it.skip

describe('the embedded Postgres', () => {
  let scratch: string
  let dataDir: string
  const running = new Set<EmbeddedPostgres>()

  beforeEach(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'keelson-embedded-'))
    dataDir = join(scratch, 'data')
  })

  afterEach(async () => {
    for (const postgres of running) await postgres.stop()
    running.clear()
    await rm(scratch, { recursive: true, force: true })
  })

  const start = async (options: { packageDir?: string } = {}): Promise<EmbeddedPostgres> => {
    const postgres = await startEmbeddedPostgres({ dataDir, logger, ...options })
    running.add(postgres)
    return postgres
  }

  const stop = async (postgres: EmbeddedPostgres): Promise<void> => {
    running.delete(postgres)
    await postgres.stop()
  }

  it('keeps what was written over a stop and a start', async () => {
    const first = await start()
    await query(first.url, `create table t as select 'kept' as word`)
    await stop(first)
    const second = await start()
    expect(await query(second.url, 'select word from t')).toEqual([{ word: 'kept' }])
  })

  it('sorts by code point in UTF-8, whatever the machine', async () => {
    const { url } = await start()
    const [row] = await query(
      url,
      `select current_setting('server_encoding') as encoding, array_agg(w order by w) as words from unnest(array['b','a','B','ä']) w`,
    )
    expect(row).toEqual({ encoding: 'UTF8', words: ['B', 'a', 'b', 'ä'] })
  })

  asRoot('runs as an account without rights when it is started as root', async () => {
    const { pid } = await start()
    expect((await stat(`/proc/${pid}`)).uid).toBe(65_534)
    expect((await stat(join(dataDir, 'postgres', 'password'))).mode & 0o777).toBe(0o600)
  })

  it('asks everybody for the password', async () => {
    const { url } = await start()
    const wrong = new URL(url)
    wrong.password = 'guessed'
    await expect(query(wrong.href, 'select 1')).rejects.toThrow('password authentication failed')
  })

  it('is started again, on its port and with its data, when the postmaster is killed', async () => {
    const postgres = await start()
    await query(postgres.url, `create table t as select 'kept' as word`)
    const before = postgres.pid
    process.kill(before, 'SIGKILL')
    // a connection may still succeed for a moment: the killed server's socket goes a little later
    await eventually(() => expect(postgres.pid).not.toBe(before), { timeoutMs: 15_000 })
    await eventually(async () => expect(await query(postgres.url, 'select word from t')).toEqual([{ word: 'kept' }]), {
      timeoutMs: 15_000,
    })
  })

  it('outlives an engine that is killed, and is taken over by the next with nothing lost', async () => {
    const { owner, said } = await startInProcess(dataDir)
    await query(said.url, `create table t as select 'kept' as word`)
    await owner.kill()
    const next = await start()
    expect(next).toMatchObject(said)
    expect(await query(next.url, 'select word from t')).toEqual([{ word: 'kept' }])
    await stop(next)
    expect(await commandLine(said.pid)).toBe('')
  })

  it('is started again when it was taken over and then dies', async () => {
    const { owner, said } = await startInProcess(dataDir)
    await owner.kill()
    const next = await start()
    process.kill(said.pid, 'SIGKILL')
    await eventually(() => expect(next.pid).not.toBe(said.pid), { timeoutMs: 15_000 })
    await eventually(() => query(next.url, 'select 1'), { timeoutMs: 15_000 })
  })

  it('recovers when engine and postmaster were killed together', async () => {
    const { owner, said } = await startInProcess(dataDir)
    await query(said.url, `create table t as select 'kept' as word`)
    process.kill(said.pid, 'SIGKILL')
    await owner.kill()
    const next = await start()
    expect(await query(next.url, 'select word from t')).toEqual([{ word: 'kept' }])
  })

  it('refuses a second engine on the data directory, also one that came by another path', async () => {
    await start()
    const refusal = { exitCode: 73, message: expect.stringMatching(/in use by another engine/) }
    await expect(startEmbeddedPostgres({ dataDir, logger })).rejects.toMatchObject(refusal)
    await expect(startEmbeddedPostgres({ dataDir: `${scratch}//./data/`, logger })).rejects.toMatchObject(refusal)
  })

  it('is not kept from starting by a pid file whose process is by now somebody else', async () => {
    await stop(await start())
    const stranger = nodeScript(
      'setInterval(() => {}, 1000)',
      process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {},
    )
    await writeFile(
      join(dataDir, 'postgres', 'data', 'postmaster.pid'),
      `${stranger.pid}\n/elsewhere\n1\n5432\n\n\n\nready\n`,
    )
    expect(await query((await start()).url, 'select 1 as one')).toEqual([{ one: 1 }])
    await stranger.kill()
  })

  it('makes the data directory anew when initdb was killed half-way', async () => {
    await mkdir(join(dataDir, 'postgres', 'data.new', 'base'), { recursive: true })
    await writeFile(join(dataDir, 'postgres', 'data.new', 'PG_VERSION'), '18\n')
    expect(await query((await start()).url, 'select 1 as one')).toEqual([{ one: 1 }])
    await expect(stat(join(dataDir, 'postgres', 'data.new'))).rejects.toThrow('ENOENT')
  })

  it('refuses the data of another major version, and leaves it as it is', async () => {
    await stop(await start())
    const versionFile = join(dataDir, 'postgres', 'data', 'PG_VERSION')
    await writeFile(versionFile, '17\n')
    await expect(start()).rejects.toMatchObject({
      exitCode: 73,
      message: expect.stringMatching(/was made by Postgres 17, and this build brings Postgres 18/),
    })
    expect(await readFile(versionFile, 'utf8')).toBe('17\n')
  })

  it('runs from a copy where the package has no links to its libraries', async () => {
    const packageDir = join(scratch, 'package')
    await copyPackageWithoutLinks(packageDir)
    const { pid, url } = await start({ packageDir })
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(await readFile(`/proc/${pid}/cmdline`, 'utf8')).toContain(join(dataDir, 'postgres', 'binaries-'))
  })

  asRoot('runs from a copy where its account may not read the package', async () => {
    const packageDir = join(scratch, 'closed', 'package')
    await mkdir(join(scratch, 'closed'), { mode: 0o700 })
    await cp(installedPackage(), packageDir, { recursive: true, verbatimSymlinks: true })
    expect(await query((await start({ packageDir })).url, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  asRoot('names the directory above it that is closed to its account', async () => {
    const closed = await mkdtemp('/var/tmp/keelson-closed-')
    dataDir = join(closed, 'deeper', 'data')
    await expect(start()).rejects.toMatchObject({
      exitCode: 73,
      message: expect.stringContaining(`${closed} is closed to uid 65534`),
    })
    await rm(closed, { recursive: true })
  })
})

/** An engine's share of it, in a process that can be killed. */
async function startInProcess(dataDir: string): Promise<{ owner: TestProcess; said: { url: string; pid: number } }> {
  const owner = nodeScript(`
    import { startEmbeddedPostgres } from './dist/src/engine/platform/embedded-postgres.js'
    const logger = { debug() {}, info() {}, warn() {}, error() {} }
    const { url, pid } = await startEmbeddedPostgres({ dataDir: ${JSON.stringify(dataDir)}, logger })
    console.log(JSON.stringify({ url, pid }))
    setInterval(() => {}, 1000)
  `)
  return { owner, said: JSON.parse(await owner.line(/^\{"url"/)) }
}

async function query(connectionString: string, sql: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString })
  // the server may be killed while this is connected
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

/** Empty for a process that has ended, buried or not. */
async function commandLine(pid: number): Promise<string> {
  return readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
}

function installedPackage(): string {
  return dirname(
    dirname(createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)),
  )
}

async function copyPackageWithoutLinks(to: string): Promise<void> {
  const { lstatSync } = await import('node:fs')
  await cp(installedPackage(), to, {
    recursive: true,
    filter: (source) => !lstatSync(source).isSymbolicLink(),
  })
}
