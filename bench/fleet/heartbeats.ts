import { patterns } from '../../src/wire/session.js'
import type { BenchDatabase } from '../database.js'
import type { Figure } from '../figures.js'
import { until } from '../until.js'
import type { Fleet } from './bench.js'

/** What an engine and its database did while they were only watched. */
export interface Watched {
  readonly seconds: number
  readonly cpuMicros: number
  readonly agentBytes: number
  /** Rows written, but for what a replica's own clock writes: its lease, its schedules. */
  readonly writes: number
  readonly transactions: number
}

/** Tables that an engine without any host writes as well; the bench itself uses its token. */
const OWN_TABLES = ['replicas', 'schedules', 'api_tokens']
/** Postgres tells its statistics with a delay of up to a second. */
const QUIET_MS = 1_500
/** Nest's ids have 21 characters, and a frame its length in front. */
const ID_CHARS = 21
/** A record of TLS 1.3 around each: header, type and tag. */
const TLS_BYTES = 22

export async function watch({
  engine,
  database,
  watchMs,
}: Pick<Fleet, 'engine' | 'database' | 'watchMs'>): Promise<Watched> {
  const look = async () => ({
    at: performance.now(),
    cpu: await engine.cpuMicros(),
    bytes: await engine.agentBytes(),
    ...(await activity(database)),
  })
  const before = await look()
  await new Promise((resolve) => setTimeout(resolve, watchMs))
  const after = await look()
  return {
    seconds: (after.at - before.at) / 1_000,
    cpuMicros: after.cpu - before.cpu,
    agentBytes: after.bytes - before.bytes,
    writes: after.writes - before.writes,
    transactions: after.transactions - before.transactions,
  }
}

/** @param idle the same engine, watched as long while it had no host */
export async function measureHeartbeats(fleet: Fleet, idle: Watched): Promise<Figure[]> {
  await quiet(fleet.database)
  const watched = await watch(fleet)
  const epochs = await fleet.database.number('SELECT avg(length(session_epoch::text)) FROM hosts WHERE connected')
  const heartbeats = watched.agentBytes / heartbeatBytes(epochs)
  const rate = heartbeats / watched.seconds
  const beyond = (watched.cpuMicros - idle.cpuMicros * (watched.seconds / idle.seconds)) / heartbeats
  return [
    {
      bench: 'fleet',
      name: `engine CPU a heartbeat, at ${rate.toFixed(0)}/s`,
      value: watched.cpuMicros / heartbeats,
      unit: 'µs',
      bound: { of: 'value', atMost: 100 },
      note: `all that the engine did in ${watched.seconds.toFixed(0)} s, divided by the heartbeats; beyond what it does without hosts ${beyond.toFixed(1)} µs`,
    },
    {
      bench: 'fleet',
      name: 'rows written a heartbeat',
      value: watched.writes / heartbeats,
      unit: 'rows',
      bound: { of: 'value', atMost: 0 },
      note: `${watched.writes} rows in ${heartbeats.toFixed(0)} heartbeats, without the replica's lease and schedules; ${watched.transactions} transactions, and ${idle.transactions} in as long a time without hosts`,
    },
  ]
}

/** The joining of the hosts is over, and in the audit log. */
async function quiet(database: BenchDatabase): Promise<void> {
  await until('nothing is written any more', async () => {
    const { writes } = await activity(database)
    await new Promise((resolve) => setTimeout(resolve, QUIET_MS))
    return (await activity(database)).writes === writes
  })
}

function heartbeatBytes(epochChars: number): number {
  const frame = JSON.stringify({ pattern: patterns.heartbeat, data: { epoch: 0 }, id: 'x'.repeat(ID_CHARS) })
  const chars = frame.length - 1 + epochChars
  return chars + String(Math.round(chars)).length + 1 + TLS_BYTES
}

async function activity(database: BenchDatabase): Promise<{ writes: number; transactions: number }> {
  const [row] = await database.rows<{ writes: number; transactions: number }>(
    `SELECT (SELECT sum(n_tup_ins + n_tup_upd + n_tup_del)::int FROM pg_stat_user_tables WHERE relname <> ALL($1)) AS writes,
       (SELECT xact_commit::int FROM pg_stat_database WHERE datname = current_database()) AS transactions`,
    [OWN_TABLES],
  )
  if (!row) throw new Error('Postgres tells no statistics')
  return row
}
