import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEFAULT_PROJECT } from '../../src/engine/identity/project.entity.js'
import { BenchProcess } from '../bench-process.js'
import { BenchDatabase } from '../database.js'
import type { BenchSetting, Figure } from '../figures.js'
import { median, spreadOf } from '../statistics.js'
import { findPgbench, pgbench } from './pgbench.js'
import { pgbenchScript } from './pgbench-script.js'
import type { PutOrder, PutRound } from './put-worker.js'
import type { Recording } from './statement-recorder.js'

const CLIENTS = 16
const HOSTS = 200
const full = { rounds: 5, forMs: 5_000 }
const smoke = { rounds: 1, forMs: 1_000 }

/** A host's id follows from its number, so that pgbench can draw one. */
const hostId = (number: number): string => `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`
const HOST_SQL = `'00000000-0000-4000-8000-' || lpad(to_hex(:host::int), 12, '0')`
const UUID_SQL = `lpad(to_hex(:u1::bigint), 16, '0') || lpad(to_hex(:u2::bigint), 16, '0')`
const CONNECTION_ID = 'recorded-connection'

interface Limits {
  /** The same statements, begin and commit, and no notification at all. */
  readonly plain: string
  /** And one notification a transaction, after its commit, as one that gathers nothing would send. */
  readonly notifying: string
}

/** Row, command and event in one transaction, and the wake-up after it, through the service. */
export async function measurePut(setting: BenchSetting): Promise<Figure[]> {
  const program = await findPgbench()
  const database = await BenchDatabase.create(setting.postgresUrl)
  setting.afterwards(() => database.drop())
  const worker = new BenchProcess('bench/commands/put-worker.js')
  setting.afterwards(() => worker.stop())
  const directory = await mkdtemp(join(tmpdir(), 'keelson-bench-sql-'))
  setting.afterwards(() => rm(directory, { recursive: true, force: true }))
  await worker.ask('open', { url: database.url, concurrency: CLIENTS })
  await addHosts(database)
  const recording = await worker.ask<Recording>('record', { hostId: hostId(1), connectionId: CONNECTION_ID })
  const limits = await writeScripts(database.url, recording, directory)
  return rounds(setting, database, worker, program, limits, recording)
}

async function rounds(
  setting: BenchSetting,
  { url }: BenchDatabase,
  worker: BenchProcess,
  program: string | null,
  limits: Limits,
  { transaction }: Recording,
): Promise<Figure[]> {
  const { rounds: count, forMs } = setting.smoke ? smoke : full
  const order: PutOrder = {
    hostIds: Array.from({ length: HOSTS }, (_, i) => hostId(i + 1)),
    concurrency: CLIENTS,
    forMs,
  }
  const measured: { service: PutRound; perSecond: number; plain: number; notifying: number }[] = []
  await worker.ask('put', order)
  for (let i = 0; i < count; i++) {
    const service = await worker.ask<PutRound>('put', order)
    const limit = (...scripts: string[]) => (program ? pgbench({ program, url, scripts, clients: CLIENTS, forMs }) : 0)
    const plain = await limit(limits.plain)
    const notifying = await limit(limits.notifying)
    measured.push({ service, perSecond: (service.count / service.elapsedMs) * 1_000, plain, notifying })
  }
  const perSecond = measured.map((m) => m.perSecond)
  const total = (of: (r: PutRound) => number) => measured.reduce((sum, m) => sum + of(m.service), 0)
  const cpu = (total((r) => r.cpuMicros) / total((r) => r.count)).toFixed(0)
  const gathered = (
    total((r) => r.count) /
    Math.max(
      1,
      total((r) => r.notifies),
    )
  ).toFixed(1)
  const figure = {
    bench: 'commands',
    value: median(perSecond),
    unit: 'tx/s',
    spread: spreadOf(perSecond),
  }
  const statements = transaction.length === 1 ? 'one statement' : `${transaction.length} statements`
  const note = `${statements} a transaction, ${CLIENTS} at a time; ${cpu} µs of CPU each in Node; ${gathered} transactions a notification`
  const name = 'row + command + event + wake-up'
  if (!program) return [{ ...figure, name, note: `${note}; no limit was measured: pgbench is not installed` }]
  const against = (which: 'plain' | 'notifying', what: string) => ({
    limit: { value: median(measured.map((m) => m[which])), what },
    ratio: median(measured.map((m) => m.perSecond / m[which])),
  })
  const bound = { of: 'ratio', atLeast: 0.5 } as const
  return [
    {
      ...figure,
      name,
      ...against('notifying', 'pgbench with the same statements and one NOTIFY a transaction'),
      bound,
      note,
    },
    {
      ...figure,
      name: `${name}, without NOTIFY in the limit`,
      ...against('plain', 'pgbench with the same statements and no NOTIFY'),
    },
  ]
}

async function addHosts(database: BenchDatabase): Promise<void> {
  await database.rows(
    `WITH h AS (INSERT INTO hosts (id, name)
       SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'bench-' || n FROM generate_series(1, $1::int) n
       RETURNING id)
     INSERT INTO host_sequences (host_id) SELECT id FROM h`,
    [HOSTS],
  )
}

async function writeScripts(url: string, recording: Recording, directory: string): Promise<Limits> {
  const made = idsOfService(recording).filter((id) => id !== hostId(1) && id !== DEFAULT_PROJECT)
  const stands = [
    { value: hostId(1), sql: HOST_SQL },
    { value: CONNECTION_ID, sql: `'bench-' || to_hex(:u1::bigint) || to_hex(:u2::bigint)` },
    ...made.map((value) => ({ value, sql: UUID_SQL })),
  ]
  const big = '9000000000000000000'
  const preamble = [`\\set host random(1, ${HOSTS})`, `\\set u1 random(1, ${big})`, `\\set u2 random(1, ${big})`]
  const script = await pgbenchScript(url, recording.transaction, preamble, stands)
  const limits = { plain: join(directory, 'plain.sql'), notifying: join(directory, 'notifying.sql') }
  await writeFile(limits.plain, script)
  await writeFile(limits.notifying, `${script}SELECT pg_notify('keelson_commands', ${HOST_SQL});\n`)
  return limits
}

/** Ids that the service made up, as against those that a statement before answered with. */
function idsOfService({ transaction }: Recording): string[] {
  const ids = new Set<string>()
  const answered = new Set<unknown>()
  for (const { values, firstRow } of transaction) {
    for (const id of values.flatMap(uuidsIn)) if (!answered.has(id)) ids.add(id)
    answered.add(firstRow?.id)
  }
  return [...ids]
}

const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g
const uuidsIn = (value: unknown): string[] => (typeof value === 'string' ? (value.match(UUID) ?? []) : [])
