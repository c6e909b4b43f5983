import { BenchDatabase } from '../database.js'
import { BenchEngine } from '../engine.js'
import type { BenchSetting, Figure } from '../figures.js'
import { Simulator } from '../simulator.js'
import { median, spreadOf } from '../statistics.js'
import { until } from '../until.js'
import { type Backlog, requireWhole, unfinished, wakeAll, writeBacklog } from './backlog.js'

const full = { hosts: 200, commandsPerHost: 100, rounds: 5 }
const smoke = { hosts: 10, commandsPerHost: 20, rounds: 1 }

interface Round {
  readonly perSecond: number
  readonly engineMicros: number
}

/** Claim, dispatch, carry out, report, settle, event: a backlog through one engine, all of it on this machine. */
export async function measureEndToEnd(setting: BenchSetting): Promise<Figure[]> {
  const { hosts, commandsPerHost, rounds: count } = setting.smoke ? smoke : full
  const database = await BenchDatabase.create(setting.postgresUrl)
  setting.afterwards(() => database.drop())
  const engine = await BenchEngine.start({ databaseUrl: database.url })
  setting.afterwards(() => engine.stop())
  const simulator = await Simulator.start(engine, database, hosts)
  setting.afterwards(() => simulator.stop())
  await simulator.connected()
  const rounds: Round[] = []
  for (let i = 0; i <= count; i++) {
    const round = await measure(database, engine, { hosts, commandsPerHost, round: `round${i}` })
    // the first warms up
    if (i > 0) rounds.push(round)
  }
  const perSecond = rounds.map((r) => r.perSecond)
  const deadlocks = await database.number('SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()')
  const micros = median(rounds.map((r) => r.engineMicros)).toFixed(0)
  return [
    {
      bench: 'commands',
      name: 'claim, dispatch, settle and event',
      value: median(perSecond),
      unit: '/s',
      spread: spreadOf(perSecond),
      bound: { of: 'value', atLeast: 1_500 },
      note: `the aim is 3,000; ${hosts} simulated hosts, a backlog of ${hosts * commandsPerHost} commands, and what the hosts observe besides; engine, Postgres and hosts share the machine; ${micros} µs of engine CPU a command; ${deadlocks} deadlocks`,
    },
  ]
}

async function measure(database: BenchDatabase, engine: BenchEngine, backlog: Backlog): Promise<Round> {
  await writeBacklog(database, backlog)
  const commands = backlog.hosts * backlog.commandsPerHost
  const cpuBefore = await engine.cpuMicros()
  const startMs = performance.now()
  await wakeAll(database)
  await until('the backlog is done', async () => (await unfinished(database)) === 0, { withinMs: 120_000, everyMs: 20 })
  const elapsedMs = performance.now() - startMs
  const engineMicros = ((await engine.cpuMicros()) - cpuBefore) / commands
  await requireWhole(database, backlog)
  await quiet(database)
  return { perSecond: (commands / elapsedMs) * 1_000, engineMicros }
}

/** Until the hosts have said all that they observe, so that one round does not pay for another. */
async function quiet(database: BenchDatabase): Promise<void> {
  let last = -1
  const count = () => database.number('SELECT count(*) FROM events')
  await until(
    'no more events come',
    async () => {
      const before = last
      last = await count()
      return last === before
    },
    { everyMs: 1_000 },
  )
}
