import { type ExecFileOptions, execFile } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { chown } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { postgresBinaries } from '../../../src/engine/platform/postgres-binaries.js'
import { freePort } from '../../support/address.js'
import { eventually } from '../../support/eventually.js'
import type { TestProcess } from '../../support/process.js'
import { withClient } from './ends-audit.js'
import type { Ground } from './ground.js'

const DEBIAN = '/usr/lib/postgresql'
/** Postgres refuses to run as root; a number needs no account. */
const account = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : null
const settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', max_connections: '200', fsync: 'off' }

interface Binaries {
  readonly initdb: string
  readonly postgres: string
}

/** A Postgres as an administrator runs it, for `DATABASE_URL`: stopped, frozen and started again as the trial likes. */
export class OutsidePostgres {
  private process: TestProcess | null = null

  private constructor(
    private readonly ground: Ground,
    private readonly binaries: Binaries,
    private readonly data: string,
    readonly port: number,
  ) {}

  static async create(ground: Ground, name: string): Promise<OutsidePostgres> {
    const root = ground.makeDirectory(name)
    if (account) await chown(root, account.uid, account.gid)
    const binaries = debianBinaries() ?? (await postgresBinaries(account, root))
    const postgres = new OutsidePostgres(ground, binaries, join(root, 'data'), await freePort())
    const options: ExecFileOptions = { cwd: root, env: { LC_ALL: 'C' }, ...account }
    const args = [
      '--pgdata',
      postgres.data,
      '--username',
      'keelson',
      '--auth',
      'trust',
      '--encoding',
      'UTF8',
      '--no-sync',
    ]
    await promisify(execFile)(binaries.initdb, args, options)
    await postgres.start()
    await postgres.administer('CREATE DATABASE keelson')
    return postgres
  }

  get url(): string {
    return this.urlOf('keelson')
  }

  /** Returns when it takes connections. */
  async start(): Promise<void> {
    const options = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const command = [this.binaries.postgres, '-D', this.data, '-p', String(this.port), ...options]
    this.process = this.ground.run(command, { cwd: this.data, ...account })
    await eventually(() => this.administer('SELECT 1'), { timeoutMs: 60_000, intervalMs: 100 })
  }

  /** Fast, as an administrator does it: sessions are ended. */
  async stop(): Promise<void> {
    this.process?.signal('SIGINT')
    await this.process?.ended
    this.process = null
  }

  /** It hangs: connections are neither answered nor refused. */
  freeze(): void {
    this.signalAll('SIGSTOP')
  }

  thaw(): void {
    this.signalAll('SIGCONT')
  }

  /** Each a statement of its own, on the maintenance database. */
  async administer(...statements: readonly string[]): Promise<void> {
    await withClient(this.urlOf('postgres'), async (client) => {
      for (const statement of statements) await client.query(statement)
    })
  }

  /** To an empty database of the same name. */
  async empty(): Promise<void> {
    await this.administer('DROP DATABASE IF EXISTS keelson WITH (FORCE)', 'CREATE DATABASE keelson')
  }

  private urlOf(database: string): string {
    return `postgres://keelson@127.0.0.1:${this.port}/${database}`
  }

  private signalAll(signal: NodeJS.Signals): void {
    for (const pid of this.family()) {
      try {
        process.kill(pid, signal)
      } catch {
        // a worker that has just ended
      }
    }
  }

  private family(): number[] {
    const postmaster = this.process?.pid
    const children = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && parentOf(name) === postmaster)
    return postmaster === undefined ? [] : [postmaster, ...children.map(Number)]
  }
}

/** Debian's, where they are: of the version that its pg_dump can read. */
function debianBinaries(): Binaries | null {
  try {
    const newest = Math.max(...readdirSync(DEBIAN).map(Number).filter(Number.isInteger))
    const directory = join(DEBIAN, String(newest), 'bin')
    if (!readdirSync(directory).includes('initdb')) return null
    return { initdb: join(directory, 'initdb'), postgres: join(directory, 'postgres') }
  } catch {
    return null
  }
}

function parentOf(pid: string): number | null {
  try {
    return Number(/^\d+ \(.*\) . (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1])
  } catch {
    return null
  }
}
