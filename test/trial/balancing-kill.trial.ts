import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { describeWith } from '../hosts/support/needs.js'
import { eventually } from '../support/eventually.js'
import { Figures, inMs } from './support/figures.js'
import { Ground } from './support/ground.js'
import { Plane } from './support/plane.js'
import { RealHost } from './support/real-host.js'
import type { Body } from './support/rest.js'
import { Chance, promisedMs, scaled } from './support/scale.js'

const ROUNDS = scaled(12, 3)
const IN_FLIGHT = 20
const VIP_PORT = 8080
/** Within which nothing is pending any more once everything runs again. */
const SETTLED_MS = promisedMs(60_000)
const victims = ['engine', 'agent', 'haproxy', 'all'] as const
type Victim = (typeof victims)[number]

const chance = new Chance('balancing')
const figures = new Figures('kill -9 with 20 load balancers being made')
const ground = new Ground()
const settledMs: number[] = []
const ended = new Map<string, number>()
let plane: Plane
let host: RealHost
let member: Server
let networkId: string

/** With all that it takes to carry a request. An engine that is killed answers nothing, and may have stored it. */
async function create(name: string): Promise<void> {
  const { port } = member.address() as AddressInfo
  const { status, body } = await plane.rest.send('POST', '/api/v1/load-balancers', {
    name,
    vipNetworkId: networkId,
    provider: 'haproxy',
    listeners: [
      {
        protocol: 'HTTP',
        protocolPort: VIP_PORT,
        defaultPool: {
          name: 'members',
          protocol: 'HTTP',
          lbAlgorithm: 'ROUND_ROBIN',
          members: [{ address: '127.0.0.1', protocolPort: port }],
        },
      },
    ],
  })
  if (status !== 0 && status !== 202) throw new Error(`${name}: ${status} ${JSON.stringify(body)}`)
}

const balancers = (): Promise<Body[]> => plane.rest.all('/api/v1/load-balancers')

/** Those that run for this host, whoever started them. */
function haproxies(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const [program = '', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        return program.endsWith('haproxy') && args.some((argument) => argument.startsWith(host.stateDir))
      } catch {
        // it has ended meanwhile
        return false
      }
    })
    .map(Number)
}

async function kill(victim: Victim): Promise<void> {
  const is = (one: Victim) => victim === one || victim === 'all'
  if (is('haproxy')) {
    const pids = haproxies()
    for (const pid of victim === 'all' ? pids : pids.slice(0, 1 + chance.between(0, pids.length))) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // it went with its master
      }
    }
  }
  await Promise.all([is('engine') ? plane.kill() : null, is('agent') ? host.kill() : null])
}

async function carries(vip: string): Promise<string> {
  const reply = await fetch(`http://${vip}:${VIP_PORT}/`, { signal: AbortSignal.timeout(5_000) })
  return `${reply.status} ${await reply.text()}`
}

describeWith(['haproxy'], 'load balancers while twenty are being made and something is killed', () => {
  beforeAll(async () => {
    member = createServer((_, reply) => reply.end('member'))
    await new Promise<void>((resolve) => {
      member.listen(0, '127.0.0.1', resolve)
    })
    plane = await Plane.start(ground)
    host = new RealHost(ground, plane, 'balancing')
    host.start()
    await plane.hostUp('balancing')
    const { status, body } = await plane.rest.send('POST', '/api/v1/networks', {
      name: 'loopback',
      cidr: '127.77.0.0/16',
      ranges: [{ from: '127.77.0.1', to: '127.77.3.254' }],
    })
    if (status !== 201) throw new Error(`no network: ${status} ${JSON.stringify(body)}`)
    networkId = body.id
  })

  afterAll(async () => {
    figures.add('rounds', ROUNDS)
    figures.add('nothing was pending after', inMs(settledMs))
    for (const [status, count] of ended) figures.add(`  ${status}`, count)
    figures.print()
    for (const pid of haproxies()) process.kill(pid, 'SIGKILL')
    await host?.stop()
    await plane?.stop()
    member?.close()
    ground.clear()
  })

  for (let round = 0; round < ROUNDS; round += 1) {
    // the first ones in turn, so that a short run meets each
    const victim = victims[round] ?? chance.pick(victims)
    const afterMs = chance.between(0, 1_500)

    it(`are ACTIVE or tell why not, and carry traffic: ${victim} after ${afterMs} ms (${round + 1})`, async () => {
      const asked = Promise.all(Array.from({ length: IN_FLIGHT }, (_, n) => create(`r${round}-${n}`)))
      await pause(afterMs)
      await kill(victim)
      if (!host.running) host.start()
      if (!plane.running) await plane.start()
      await plane.hostUp('balancing')
      await asked
      const startedMs = performance.now()
      const rows = await eventually(
        async () => {
          const all = await balancers()
          expect(all.filter(({ provisioningStatus }) => /^PENDING/.test(provisioningStatus))).toEqual([])
          return all
        },
        { timeoutMs: SETTLED_MS, intervalMs: 100 },
      )
      settledMs.push(performance.now() - startedMs)
      for (const { provisioningStatus } of rows) ended.set(provisioningStatus, (ended.get(provisioningStatus) ?? 0) + 1)
      expect(rows.filter((r) => r.provisioningStatus === 'ERROR' && !r.statusReason)).toEqual([])
      const active = rows.filter(({ provisioningStatus }) => provisioningStatus === 'ACTIVE')
      await eventually(
        async () => {
          expect(await Promise.all(active.map(({ vipAddress }) => carries(vipAddress)))).toEqual(
            active.map(() => '200 member'),
          )
        },
        { timeoutMs: SETTLED_MS, intervalMs: 200 },
      )
      const { holds } = await host.status()
      const ids: string[] = active.map(({ id }) => id)
      expect(holds.balancers.map(({ loadBalancerId }) => loadBalancerId).sort()).toEqual(ids.sort())
      await Promise.all(rows.map(({ id }) => plane.rest.send('DELETE', `/api/v1/load-balancers/${id}?cascade=true`)))
      await eventually(
        async () => {
          expect(await balancers()).toEqual([])
          expect(haproxies()).toEqual([])
          expect(directories()).toEqual([])
        },
        { timeoutMs: SETTLED_MS, intervalMs: 200 },
      )
    })
  }
})

/** What the driver keeps of each. */
const directories = (): string[] => {
  const root = join(host.stateDir, 'haproxy')
  return existsSync(root) ? readdirSync(root) : []
}
