import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DEFAULT_PROJECT } from '../../src/engine/identity/project.entity.js'
import { BenchProcess } from '../bench-process.js'
import { findPgbench, pgbench } from '../commands/pgbench.js'
import { pgbenchScript } from '../commands/pgbench-script.js'
import type { Recording } from '../commands/statement-recorder.js'
import { BenchDatabase } from '../database.js'
import type { BenchSetting, Figure } from '../figures.js'
import { median, spreadOf } from '../statistics.js'
import type { CreationOrder, CreationRound } from './creation-worker.js'

const CLIENTS = 16
const HOSTS = 200
const NAME = 'recorded-balancer'
const NETWORK = '00000000-0000-4000-9000-000000000001'
/** Each creation takes an address: what all rounds together take must be there. */
const ADDRESSES = { full: 200_000, smoke: 20_000 }
const full = { rounds: 3, forMs: 4_000 }
const smoke = { rounds: 1, forMs: 500 }

const hostId = (number: number): string => `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`
const HOST_SQL = `'00000000-0000-4000-8000-' || lpad(to_hex(:host::int), 12, '0')`
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g

/** Row, generation, address, command and event in one transaction, through the service, beside pgbench with the same SQL. */
export async function measureCreation(setting: BenchSetting): Promise<Figure[]> {
  const program = await findPgbench()
  const { rounds, forMs } = setting.smoke ? smoke : full
  const database = await BenchDatabase.create(setting.postgresUrl)
  setting.afterwards(() => database.drop())
  const worker = new BenchProcess('bench/balancing/creation-worker.js')
  setting.afterwards(() => worker.stop())
  const directory = await mkdtemp(join(tmpdir(), 'keelson-bench-sql-'))
  setting.afterwards(() => rm(directory, { recursive: true, force: true }))
  await worker.ask('open', { url: database.url, concurrency: CLIENTS })
  await furnish(database, setting.smoke ? ADDRESSES.smoke : ADDRESSES.full)
  const order: CreationOrder = { networkId: NETWORK, concurrency: CLIENTS, forMs }
  await worker.ask('create', order)
  const recording = await worker.ask<Recording>('record', { networkId: NETWORK, name: NAME })
  const script = join(directory, 'create.sql')
  await writeFile(script, await scriptOf(database.url, recording))
  const measured: { perSecond: number; limit: number }[] = []
  for (let i = 0; i < rounds; i++) {
    const { count, elapsedMs } = await worker.ask<CreationRound>('create', order)
    const run = { program: program ?? '', url: database.url, scripts: [script], clients: CLIENTS, forMs }
    measured.push({ perSecond: (count / elapsedMs) * 1_000, limit: program ? await pgbench(run) : 0 })
  }
  const perSecond = measured.map((m) => m.perSecond)
  const figure = {
    bench: 'balancing',
    name: 'load balancer: row + address + command + event',
    value: median(perSecond),
    unit: 'tx/s',
    spread: spreadOf(perSecond),
  }
  const note = `${recording.transaction.length} statements a transaction, ${CLIENTS} at a time; what is asked for together is made together`
  if (!program) return [{ ...figure, note: `${note}; no limit was measured: pgbench is not installed` }]
  return [
    {
      ...figure,
      limit: {
        value: median(measured.map((m) => m.limit)),
        what: 'pgbench with the same statements, one creation a transaction',
      },
      ratio: median(measured.map((m) => m.perSecond / m.limit)),
      bound: { of: 'ratio', atLeast: 0.5 },
      note,
    },
  ]
}

/** Hosts that could take a balancer, and a network with room for all. */
async function furnish(database: BenchDatabase, addresses: number): Promise<void> {
  await database.rows(
    `WITH h AS (INSERT INTO hosts (id, name, status, capabilities, kinds)
       SELECT ('00000000-0000-4000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'bench-' || n, 'Up',
         '{balancing:simulated}', '{balancing.apply,balancing.remove}' FROM generate_series(1, $1::int) n
       RETURNING id)
     INSERT INTO host_sequences (host_id) SELECT id FROM h`,
    [HOSTS],
  )
  await database.rows(
    `INSERT INTO networks (id, name, cidr, ranges, size) VALUES ($1, 'bench', '10.0.0.0/8', '[]', $2)`,
    [NETWORK, addresses],
  )
  await database.rows(
    `INSERT INTO network_addresses (network_id, address) SELECT $1, '10.0.0.0'::inet + n FROM generate_series(1, $2::int) n`,
    [NETWORK, addresses],
  )
  await database.rows('ANALYZE network_addresses')
}

/** Whatever the one recorded transaction made up is made up anew in each, for a host of its own. */
async function scriptOf(url: string, recording: Recording): Promise<string> {
  const fixed = new Set([NETWORK, DEFAULT_PROJECT])
  const ids = new Set<string>()
  const answered = new Set<string>()
  for (const { values, firstRow } of recording.transaction) {
    for (const id of uuidsIn(values)) if (!fixed.has(id) && !answered.has(id)) ids.add(id)
    for (const id of uuidsIn(firstRow)) answered.add(id)
  }
  const hosts = Array.from({ length: HOSTS }, (_, i) => hostId(i + 1))
  const stands = [
    { value: NAME, sql: `'bench-' || to_hex(:u1::bigint) || to_hex(:u2::bigint)` },
    ...[...ids].map((value, n) => ({
      value,
      sql: hosts.includes(value)
        ? HOST_SQL
        : `lpad(to_hex(:u1::bigint), 16, '0') || lpad(to_hex(:u2::bigint # ${n}), 16, '0')`,
    })),
  ]
  const big = '9000000000000000000'
  const preamble = [`\\set host random(1, ${HOSTS})`, `\\set u1 random(1, ${big})`, `\\set u2 random(1, ${big})`]
  return pgbenchScript(url, recording.transaction, preamble, stands)
}

const uuidsIn = (value: unknown): string[] => JSON.stringify(value ?? null).match(UUID) ?? []
