import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from '../support/eventually.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'
import { withClient } from './support/ends-audit.js'
import { Figures } from './support/figures.js'
import { Ground } from './support/ground.js'
import { OutsidePostgres } from './support/outside-postgres.js'
import { Plane } from './support/plane.js'
import { RealHost } from './support/real-host.js'
import type { Body } from './support/rest.js'
import { scaled } from './support/scale.js'
import { Simulation } from './support/simulation.js'

const AWAY_MS = scaled(20_000, 6_000)
const SIMULATED = scaled(50, 5)
const NOT_READY = 'urn:keelson:problem:not-ready'
const ACTIVE = { provisioningStatus: 'ACTIVE', operatingStatus: 'UP' }
const figures = new Figures('Postgres away from a running engine')

afterAll(() => figures.print())

describe.each([
  { what: 'stopped', away: (p: OutsidePostgres) => p.stop(), back: (p: OutsidePostgres) => p.start() },
  { what: 'frozen', away: async (p: OutsidePostgres) => p.freeze(), back: async (p: OutsidePostgres) => p.thaw() },
])('while Postgres is $what', ({ what, away, back }) => {
  const ground = new Ground()
  let postgres: OutsidePostgres
  let plane: Plane
  let real: RealHost
  let simulation: Simulation
  let bystander: WireAgent
  let host: Body
  let before: Map<string, number>
  const beats: NodeJS.Timeout[] = []

  beforeAll(async () => {
    postgres = await OutsidePostgres.create(ground, 'postgres')
    plane = await Plane.start(ground, { databaseUrl: postgres.url })
    real = new RealHost(ground, plane, 'real')
    real.start()
    simulation = new Simulation(ground, plane, SIMULATED)
    host = await plane.hostUp('real')
    await simulation.hostsUp(plane)
    bystander = await WireAgent.open(plane.tcp, helloOf('bystander'))
    beats.push(setInterval(() => void bystander.beat().catch(() => undefined), 1_000))
    await put('before')
    await plane.connection(host.id, 'before', ACTIVE)
    // on its way when the database goes: delivered, and reported only meanwhile
    await plane.put(bystander.hostId, 'meanwhile', 'local:///srv/meanwhile')
    await bystander.command(0)
    before = await epochs()
  })

  afterAll(async () => {
    for (const timer of beats) clearInterval(timer)
    bystander?.vanish()
    await simulation?.stop()
    await real?.stop()
    await plane?.stop()
    await postgres?.stop()
    ground.clear()
  })

  const put = (id: string) => plane.put(host.id, id, `local://${ground.makeDirectory('srv', id)}`)

  async function epochs(): Promise<Map<string, number>> {
    const { rows } = await withClient(postgres.url, (client) => client.query('SELECT name, session_epoch FROM hosts'))
    return new Map(rows.map((row) => [row.name, Number(row.session_epoch)]))
  }

  it('answers 503 with Retry-After as a problem document, and lives', async () => {
    await away(postgres)
    const startedMs = performance.now()
    const statuses = new Map<number, number>()
    let slowestMs = 0
    while (performance.now() - startedMs < AWAY_MS) {
      for (const reply of await Promise.all([
        put('refused'),
        plane.rest.get('/api/v1/hosts'),
        plane.rest.get('/health/ready'),
      ])) {
        slowestMs = Math.max(slowestMs, reply.tookMs)
        statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1)
        expect(reply.status).toBe(503)
        expect(reply.headers.get('content-type')).toContain('application/problem+json')
        // a balancer asks again by itself
        if (reply.body.type !== NOT_READY) expect(Number(reply.headers.get('retry-after'))).toBeGreaterThan(0)
      }
      expect((await plane.rest.get('/health/live')).status).toBe(200)
      await pause(200)
    }
    figures.add(`${what}: away for`, `${AWAY_MS} ms`)
    figures.add(`${what}: replies`, [...statuses].map(([status, count]) => `${status}: ${count}`).join(', '))
    figures.add(`${what}: slowest reply`, `${Math.round(slowestMs)} ms`)
  })

  it('takes a report that is made meanwhile, or refuses it so that it is repeated', async () => {
    const report = await bystander
      .report(await bystander.command(0))
      .catch((error: unknown) => ({ error: (error as Error).message }))
    figures.add(`${what}: a report meanwhile is answered`, JSON.stringify(report).slice(0, 100))
    expect(report).not.toMatchObject({ acknowledged: [expect.anything()] })
  })

  it('goes on by itself when it is back, with the same sessions', async () => {
    const startedMs = performance.now()
    await back(postgres)
    await eventually(async () => expect((await put('after')).status).toBe(202), { timeoutMs: 60_000 })
    figures.add(`${what}: changes are accepted again after`, `${Math.round(performance.now() - startedMs)} ms`)
    await plane.connection(host.id, 'after', ACTIVE)
    figures.add(`${what}: and carried out after`, `${Math.round(performance.now() - startedMs)} ms`)
    expect(await epochs()).toEqual(before)
    expect((await plane.rest.all('/api/v1/hosts')).filter(({ status }) => status !== 'Up')).toEqual([])
  })

  it('records what is reported again afterwards', async () => {
    await eventually(
      async () => {
        const command = await bystander.command(0)
        expect(await bystander.report(command)).toMatchObject({ acknowledged: [command.id] })
      },
      { timeoutMs: 30_000 },
    )
    await plane.connection(bystander.hostId, 'meanwhile', { provisioningStatus: 'ACTIVE' })
  })

  it('leaves nothing unfinished', async () => {
    await eventually(
      async () => {
        const unfinished = await plane.rest.all('/api/v1/commands?state=queued&state=dispatched&state=running')
        expect(unfinished).toEqual([])
      },
      { timeoutMs: 30_000 },
    )
  })

  it('has stored nothing of what it refused, where Postgres was gone', async () => {
    const { status } = await plane.rest.get(`/api/v1/hosts/${host.id}/storage-connections/refused`)
    // one that hung may have had the commit already: 503 then says that it is not known
    expect(status === 404 || what === 'frozen').toBe(true)
  })
})

describe('kill -9 of the embedded postmaster under a running engine', () => {
  const ground = new Ground()
  let plane: Plane
  let real: RealHost
  let host: Body

  beforeAll(async () => {
    plane = await Plane.start(ground)
    real = new RealHost(ground, plane, 'real')
    real.start()
    host = await plane.hostUp('real')
  })

  afterAll(async () => {
    await real?.stop()
    await plane?.stop()
    ground.clear()
  })

  it('is made good by the engine alone, again and again', async () => {
    const times: number[] = []
    const { epoch } = await real.status()
    for (let round = 1; round <= scaled(10, 3); round += 1) {
      const { pid } = plane.embedded()
      process.kill(pid, 'SIGKILL')
      const startedMs = performance.now()
      const id = `after-${round}`
      const put = () => plane.put(host.id, id, `local://${ground.makeDirectory('srv', id)}`)
      await eventually(async () => expect((await put()).status).toBe(202), { timeoutMs: 60_000 })
      times.push(performance.now() - startedMs)
      await plane.connection(host.id, id, ACTIVE)
      expect(plane.embedded().pid).not.toBe(pid)
    }
    figures.add(
      'embedded, killed: changes are accepted again after',
      times.map((ms) => `${Math.round(ms)} ms`).join(', '),
    )
    expect((await real.status()).epoch).toBe(epoch)
  })
})
