import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BenchProcess } from '../bench-process.js'
import type { Bench, BenchSetting, Figure } from '../figures.js'
import { freePort } from '../free-port.js'
import { median, spreadOf } from '../statistics.js'
import { until } from '../until.js'
import { fill, getStats, type Load, putStats } from './calls.js'
import { startOriginal } from './original.js'

const full = { rounds: 5, forMs: 3_000, hosts: 250 }
const smoke = { rounds: 1, forMs: 300, hosts: 20 }
const CLIENTS = 10

export const broker: Bench = {
  name: 'broker',
  meaning: "a host's HA broker: its whiteboard, beside a server of Python's over the same kind of file",
  async run(setting): Promise<Figure[]> {
    const { rounds, forMs, hosts } = setting.smoke ? smoke : full
    const [ours, theirs] = await startBoth(setting)
    for (const port of [ours, theirs]) await fill(port, hosts)
    const measure = async (name: string, ask: (load: Load) => Promise<number>, atLeast: number): Promise<Figure> => {
      const measured: { value: number; limit: number }[] = []
      for (let i = 0; i <= rounds; i++) {
        const value = await ask({ port: ours, clients: CLIENTS, forMs })
        const limit = await ask({ port: theirs, clients: CLIENTS, forMs })
        // the first warms up
        if (i > 0) measured.push({ value, limit })
      }
      const values = measured.map(({ value }) => value)
      return {
        bench: 'broker',
        name,
        value: median(values),
        unit: 'calls/s',
        spread: spreadOf(values),
        limit: { value: median(measured.map(({ limit }) => limit)), what: "the same of Python's SimpleXMLRPCServer" },
        ratio: median(measured.map(({ value, limit }) => value / limit)),
        bound: { of: 'ratio', atLeast },
      }
    }
    return [
      await measure(`put_stats, ${CLIENTS} clients`, putStats, 5),
      await measure(`get_stats with ${hosts} hosts, ${CLIENTS} clients`, getStats, 3),
    ]
  },
}

/** @returns the ports of the broker and of the other */
async function startBoth(setting: BenchSetting): Promise<[number, number]> {
  const directory = mkdtempSync(join(tmpdir(), 'keelson-bench-broker-'))
  setting.afterwards(async () => rmSync(directory, { recursive: true, force: true }))
  const [ours, theirs] = [await freePort(), await freePort()]
  const at = (name: string) => join(directory, name)
  const flags = [
    '--socket',
    at('socket'),
    '--state-dir',
    at('state'),
    '--whiteboard',
    at('ours'),
    '--log-level',
    'error',
  ]
  const broker = new BenchProcess('src/main.js', { args: ['broker', '--tcp', `127.0.0.1:${ours}`, ...flags] })
  setting.afterwards(() => broker.stop())
  setting.afterwards(startOriginal(theirs, at('theirs')))
  for (const [port, what] of [
    [ours, 'the broker'],
    [theirs, "Python's server"],
  ] as const) {
    await until(`${what} answers`, () =>
      fill(port, 1).then(
        () => true,
        () => false,
      ),
    )
  }
  return [ours, theirs]
}
