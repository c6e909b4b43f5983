import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BenchProcess } from '../bench-process.js'
import type { BenchEngine } from '../engine.js'
import type { BenchSetting, Figure } from '../figures.js'
import { put } from '../rest/put.js'
import { median, spreadOf } from '../statistics.js'
import { until } from '../until.js'

const full = { targets: 100, rounds: 3, forMs: 20_000 }
const smoke = { targets: 5, rounds: 1, forMs: 2_000 }
/** Of Linux, as it says in /proc. */
const TICK_MS = 10

interface List {
  readonly items: readonly { readonly id: string; readonly operatingStatus?: string; readonly status?: string }[]
}

/** CPU of a real agent and its children while a hundred directories are watched, at the interval that is the default. */
export async function measureKeeper(setting: BenchSetting, engine: BenchEngine): Promise<Figure[]> {
  const { targets, rounds: count, forMs } = setting.smoke ? smoke : full
  const directory = await mkdtemp(join(tmpdir(), 'keelson-bench-keeper-'))
  setting.afterwards(() => rm(directory, { recursive: true, force: true }))
  const agent = new BenchProcess('src/main.js', {
    args: ['agent'],
    env: {
      KEELSON_AGENT_NAME: 'keeper',
      KEELSON_ENGINES: engine.tcpAddress,
      KEELSON_JOIN_TOKEN: await engine.joinToken(),
      KEELSON_STATE_DIR: join(directory, 'state'),
      KEELSON_LOG_LEVEL: 'error',
      KEELSON_LOG_FORMAT: 'json',
    },
  })
  setting.afterwards(() => agent.stop())
  const hostId = await until('the host is up', async () => {
    const { items } = await engine.get<List>('/hosts?name=keeper')
    return items.find(({ status }) => status === 'Up')?.id
  })
  const without = await rounds(agent.pid, count, forMs)
  await ask(engine, hostId, directory, targets)
  const path = `/hosts/${hostId}/storage-connections?operatingStatus=UP&limit=${targets}`
  await until('all are up', async () => (await engine.get<List>(path)).items.length === targets, { everyMs: 250 })
  const watching = await rounds(agent.pid, count, forMs)
  await agent.stop()
  return [
    {
      bench: 'storage',
      name: `agent with ${targets} targets, CPU`,
      value: median(watching),
      unit: '% of a core',
      spread: spreadOf(watching),
      bound: { of: 'value', atMost: 2 },
      note: `its children among it, each target probed every 10 s; ${median(without).toFixed(2)} % without any target`,
    },
  ]
}

async function ask(engine: BenchEngine, hostId: string, directory: string, targets: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let i = 0; i < targets; i++) {
    const path = join(directory, `target-${i}`)
    await mkdir(path)
    const { httpPort: port, token } = engine
    const status = await put({ agent, port, token, hostId, connectionId: `keep-${i}`, uri: `local://${path}` })
    if (status !== 202) throw new Error(`PUT answered ${status}`)
  }
  agent.destroy()
}

/** @returns percent of one core, round by round */
async function rounds(pid: number, count: number, forMs: number): Promise<number[]> {
  const shares: number[] = []
  for (let i = 0; i < count; i++) {
    const [before, startMs] = [await cpuMs(pid), performance.now()]
    await new Promise((resolve) => setTimeout(resolve, forMs))
    shares.push((((await cpuMs(pid)) - before) / (performance.now() - startMs)) * 100)
  }
  return shares
}

/** Of a process and of its children that have ended. */
async function cpuMs(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  // utime, stime, cutime, cstime: 14 to 17, counted from 1; the name before may hold anything
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) * TICK_MS
}
