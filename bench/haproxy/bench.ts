import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { BenchDatabase } from '../database.js'
import { BenchEngine } from '../engine.js'
import type { Bench, BenchSetting, Figure } from '../figures.js'
import { median, percentile, spreadOf } from '../statistics.js'
import { call, create, limitConnections, partOf } from './calls.js'
import { RealHost } from './real-host.js'
import { hasWrk, wrk } from './wrk.js'

const full = { creations: 30, reloads: 20, reloadEveryMs: 500, members: 1_000, rounds: 5 }
const smoke = { creations: 2, reloads: 2, reloadEveryMs: 500, members: 50, rounds: 1 }
type Size = typeof full

const KEPT_ALIVE = 32
const VIPS = '127.84.0.0/24'
const PROGRAMS = ['/usr/sbin/haproxy', '/usr/local/sbin/haproxy', '/usr/bin/haproxy']

interface Ground {
  readonly engine: BenchEngine
  readonly host: RealHost
  readonly networkId: string
  readonly memberPort: number
}

export const haproxy: Bench = {
  name: 'haproxy',
  meaning: 'real HAProxy by a real agent: how soon it is there, reloads under traffic, members without a reload',
  async run(setting): Promise<Figure[]> {
    if (!PROGRAMS.some(existsSync)) {
      process.stdout.write('left out: haproxy is not installed\n')
      return []
    }
    const size = setting.smoke ? smoke : full
    const ground = await groundOf(setting)
    const active = await measureActive(ground, size)
    return [active, ...(await measureReloads(ground, size)), ...(await measureMembers(ground, size))]
  },
}

async function groundOf(setting: BenchSetting): Promise<Ground> {
  const database = await BenchDatabase.create(setting.postgresUrl)
  setting.afterwards(() => database.drop())
  const engine = await BenchEngine.start({ databaseUrl: database.url })
  setting.afterwards(() => engine.stop())
  const host = await RealHost.start(setting, engine)
  const member = createServer((_, reply) => reply.end('member')).listen(0, '127.0.0.1')
  await once(member, 'listening')
  setting.afterwards(async () => {
    member.closeAllConnections()
    member.close()
  })
  const { id: networkId } = await call<{ id: string }>(engine, 'POST', '/networks', { name: 'bench', cidr: VIPS })
  return { engine, host, networkId, memberPort: (member.address() as AddressInfo).port }
}

async function measureActive({ engine, networkId, memberPort }: Ground, { creations }: Size): Promise<Figure> {
  const times: number[] = []
  for (let n = 0; n < creations; n++) {
    const startMs = performance.now()
    const { vipAddress } = await create(engine, networkId, `made-${n}`, memberPort)
    times.push(performance.now() - startMs)
    const { ok } = await fetch(`http://${vipAddress}:8080/`)
    if (!ok) throw new Error(`${vipAddress} is ACTIVE and carries nothing`)
  }
  return {
    bench: 'haproxy',
    name: 'from the request to ACTIVE on real HAProxy, p50',
    value: median(times),
    unit: 'ms',
    spread: spreadOf(times),
    bound: { of: 'value', atMost: 500 },
    note: `one at a time, each then carries a request; p99 ${percentile(times, 0.99).toFixed(0)} ms`,
  }
}

async function measureReloads(ground: Ground, { reloads, reloadEveryMs }: Size): Promise<Figure[]> {
  if (!(await hasWrk())) {
    process.stdout.write('left out: reloads under traffic: wrk is not installed\n')
    return []
  }
  const { engine, host, networkId, memberPort } = ground
  const { vipAddress } = await create(engine, networkId, 'reloaded', memberPort)
  const listenerId = await partOf(engine, 'listeners', 'reloaded')
  const times: number[] = []
  // the first seconds are without a reload
  const traffic = wrk(`http://${vipAddress}:8080/`, KEPT_ALIVE, 2_000 + reloads * reloadEveryMs * 2)
  for (let n = 1; n <= reloads; n++) {
    const [startMs, before] = [performance.now(), String(host.haproxies())]
    await limitConnections(engine, listenerId, n)
    times.push(performance.now() - startMs)
    if (String(host.haproxies()) === before) throw new Error('there was no reload')
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, reloadEveryMs - (performance.now() - startMs))))
  }
  const { requests, failed } = await traffic
  return [
    {
      bench: 'haproxy',
      name: `requests that failed in ${reloads} reloads`,
      value: failed,
      unit: 'requests',
      bound: { of: 'value', atMost: 0 },
      note: `of ${requests} by wrk over ${KEPT_ALIVE} connections that are kept alive; from the request to ACTIVE p50 ${median(times).toFixed(0)} ms`,
    },
  ]
}

async function measureMembers(ground: Ground, { members, rounds }: Size): Promise<Figure[]> {
  const { engine, host, networkId, memberPort } = ground
  await create(engine, networkId, 'crowded', memberPort)
  const path = `/pools/${await partOf(engine, 'pools', 'crowded')}/members`
  const all = (round: number) =>
    Array.from({ length: members }, (_, n) => ({
      address: `127.85.${n >> 8}.${n & 255}`,
      protocolPort: 8080,
      weight: 1 + (round % 200),
    }))
  const before = String(host.haproxies())
  const times: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const startMs = performance.now()
    await call(engine, 'PUT', path, { members: all(round) })
    times.push(performance.now() - startMs)
  }
  const reloads = String(host.haproxies()) === before ? 0 : 1
  return [
    {
      bench: 'haproxy',
      name: `reloads for ${members} members that come and change`,
      value: reloads,
      unit: 'reloads',
      bound: { of: 'value', atMost: 0 },
      note: `all come in ${times[0]?.toFixed(0)} ms; all have another weight in ${median(times.slice(1)).toFixed(0)} ms, from the request to ACTIVE`,
    },
  ]
}
