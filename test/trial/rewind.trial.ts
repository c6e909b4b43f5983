import { eventually } from '../support/eventually.js'
import { SseReader } from '../support/sse.js'
import { canDump, dump, restore } from './support/dump.js'
import { withClient } from './support/ends-audit.js'
import { Figures } from './support/figures.js'
import { Ground } from './support/ground.js'
import { OutsidePostgres } from './support/outside-postgres.js'
import { Plane } from './support/plane.js'
import { RealHost } from './support/real-host.js'
import type { Body } from './support/rest.js'
import { scaled } from './support/scale.js'
import { Simulation } from './support/simulation.js'

const SIMULATED = scaled(20, 3)
const ACTIVE = { provisioningStatus: 'ACTIVE', operatingStatus: 'UP' }
const isRoot = process.getuid?.() === 0
const figures = new Figures('The database put back to an earlier dump')

type Variant = 'into the same cluster' | 'under a running engine' | 'into another cluster'
const variants: readonly Variant[] = ['into the same cluster', 'under a running engine', 'into another cluster']

afterAll(() => figures.print())

it('finds pg_dump and psql, as Debian has them in postgresql-client', () => {
  expect(canDump).toBe(true)
})

describe.each(variants)('an earlier dump restored %s, while agents run', (variant) => {
  const ground = new Ground()
  let postgres: OutsidePostgres
  let plane: Plane
  let real: RealHost
  let simulation: Simulation
  let hosts: readonly Body[]
  let before: Awaited<ReturnType<typeof seen>>
  let restoredAt: number
  let reader: SseReader
  let lastIdBefore: string

  beforeAll(async () => {
    postgres = await OutsidePostgres.create(ground, 'postgres')
    plane = await Plane.start(ground, { databaseUrl: postgres.url })
    real = new RealHost(ground, plane, 'real')
    real.start()
    simulation = new Simulation(ground, plane, SIMULATED)
    hosts = [await plane.hostUp('real'), ...(await simulation.hostsUp(plane))]
    await forEachHost(beforeTheDump)
    const text = await dump(postgres)
    await goOn()
    await simulation.hostsUp(plane)
    await plane.hostUp('real')
    await real.connected()
    reader = await resume()
    await forEachHost(afterTheDump)
    before = await seen()
    lastIdBefore = await eventually(() => reader.lastId ?? Promise.reject(new Error('no event came')))
    await putBack(text)
    await eventually(
      async () => {
        for (const { name } of hosts) await plane.hostUp(name)
        for (const [id, epoch] of await epochs()) expect(epoch).toBeGreaterThan(before.epochs.get(id) ?? 0)
      },
      { timeoutMs: 120_000, intervalMs: 250 },
    )
    figures.add(`${variant}: all hosts in service after`, `${Math.round(Date.now() - restoredAt)} ms`)
  })

  afterAll(async () => {
    reader?.close()
    await simulation?.stop()
    await real?.stop()
    await plane?.stop()
    ground.clear()
  })

  /** Sessions that the dump does not know of: of all hosts, or where none may break, of this machine's. */
  async function goOn(): Promise<void> {
    if (variant === 'under a running engine') {
      await real.kill()
      real.start()
      return
    }
    await plane.stop()
    await plane.start()
  }

  async function putBack(text: string): Promise<void> {
    if (variant === 'under a running engine') {
      restoredAt = Date.now()
      await restore(text, postgres)
      return
    }
    await plane.stop()
    const target = variant === 'into another cluster' ? await OutsidePostgres.create(ground, 'other') : postgres
    restoredAt = Date.now()
    await restore(text, target)
    plane.databaseUrl = target.url
    await plane.start()
  }

  async function forEachHost(work: (host: Body) => Promise<void>): Promise<void> {
    for (const host of hosts) await work(host)
  }

  async function beforeTheDump({ id, name }: Body): Promise<void> {
    for (const connection of ['kept', 'changed', 'deleted', 'made-again']) {
      await plane.put(id, connection, uriOf(name, connection))
      await plane.connection(id, connection, ACTIVE)
    }
    await plane.delete(id, 'made-again')
    await gone(id, 'made-again')
  }

  async function afterTheDump({ id, name }: Body): Promise<void> {
    await plane.put(id, 'changed', uriOf(name, 'changed-to'), { 'if-match': '*' })
    for (const connection of ['new-1', 'new-2', 'made-again']) await plane.put(id, connection, uriOf(name, connection))
    for (const connection of ['changed', 'new-1', 'new-2', 'made-again']) await plane.connection(id, connection, ACTIVE)
    await plane.delete(id, 'deleted')
    await gone(id, 'deleted')
  }

  /** Mounted where there is a kernel and the right to; elsewhere a directory. */
  function uriOf(name: string, directory: string): string {
    const path = ground.makeDirectory('srv', name, directory)
    return isRoot && name === 'real' ? `posix://${path}?fstype=bind` : `local://${path}`
  }

  async function gone(hostId: string, connection: string): Promise<void> {
    await eventually(
      async () => {
        const { status } = await plane.rest.get(`/api/v1/hosts/${hostId}/storage-connections/${connection}`)
        expect(status).toBe(404)
      },
      { timeoutMs: 20_000 },
    )
  }

  async function seen() {
    const status = await real.status()
    const held = status.holds.connections.map(({ connectionId }) => connectionId).sort()
    return { epochs: await epochs(), incarnation: status.incarnation, held, mounts: real.mounts() }
  }

  async function epochs(): Promise<Map<string, number>> {
    const { rows } = await withClient(plane.databaseUrl ?? '', (client) =>
      client.query<{ id: string; epoch: string }>('SELECT id, session_epoch AS epoch FROM hosts'),
    )
    return new Map(rows.map(({ id, epoch }) => [id, Number(epoch)]))
  }

  const resume = (lastEventId?: string) =>
    SseReader.open(`${plane.rest.baseUrl}/api/v1/events/stream`, { token: plane.rest.token, lastEventId })
  const quarantined = (): Promise<Body[]> => plane.rest.all('/api/v1/quarantine?state=held')

  it('goes on with higher epochs, in a new incarnation that hosts are told of', async () => {
    await real.connected()
    const { epoch, incarnation } = await real.status()
    expect(epoch).toBeGreaterThan(before.epochs.get(hosts[0].id) ?? 0)
    expect(incarnation).not.toBe(before.incarnation)
  })

  it('begins one new incarnation, however many hosts notice', async () => {
    const { rows } = await withClient(plane.databaseUrl ?? '', (client) =>
      client.query('SELECT number FROM incarnations'),
    )
    expect(rows).toHaveLength(2)
    const begun = await plane.rest.all('/api/v1/events?type=database.incarnation.begun')
    // another cluster is seen at the start, before any host could prove it
    expect(begun).toHaveLength(variant === 'into another cluster' ? 0 : 1)
  })

  it('quarantines what is newer than the dump, on every host', async () => {
    const expected = ['changed newer', 'made-again unknown', 'new-1 unknown', 'new-2 unknown']
    await eventually(
      async () => {
        const things = await quarantined()
        for (const { id } of hosts) {
          const here = things.filter(({ hostId }) => hostId === id)
          expect(here.map(({ subject, reason }) => `${subject.split('/')[1]} ${reason}`).sort()).toEqual(expected)
        }
      },
      { timeoutMs: 30_000, intervalMs: 250 },
    )
    figures.add(`${variant}: quarantined on ${hosts.length} hosts`, (await quarantined()).length)
  })

  it('removes nothing from any host', async () => {
    const now = await seen()
    expect(now.held).toEqual(expect.arrayContaining(before.held))
    expect(now.mounts).toEqual(expect.arrayContaining(before.mounts))
    const removals = simulation.lines().filter(({ at, kind }) => at > restoredAt && kind === 'storage.unmanage')
    expect(removals).toEqual([])
  })

  it('shows what differs as an error, and what is the same as before as it was', async () => {
    for (const { id } of hosts) {
      await plane.connection(id, 'kept', ACTIVE)
      await plane.connection(id, 'changed', { provisioningStatus: 'ERROR', fault: { type: 'newer-on-host' } })
    }
  })

  it('carries out new commands on every host', async () => {
    for (const { id, name } of hosts) {
      expect((await plane.put(id, 'fresh', uriOf(name, 'fresh'))).status).toBe(202)
      await plane.connection(id, 'fresh', ACTIVE)
      await plane.rest.send('POST', `/api/v1/hosts/${id}/storage-connections/kept/reset`)
      await plane.connection(id, 'kept', { provisioningStatus: 'ACTIVE' })
    }
    const failed = (await plane.rest.all('/api/v1/commands?kind=storage.reset')).filter(
      ({ state }) => state !== 'succeeded',
    )
    expect(failed).toEqual([])
  })

  it('does what an operator decides about each: taken over, changed, deleted', async () => {
    const { id, name } = hosts[0]
    await plane.put(id, 'new-1', uriOf(name, 'new-1'))
    await plane.put(id, 'changed', uriOf(name, 'changed-to'), { 'if-match': '*' })
    await plane.delete(id, 'kept')
    await plane.connection(id, 'new-1', ACTIVE)
    await plane.connection(id, 'changed', ACTIVE)
    await gone(id, 'kept')
    const things = (await quarantined()).filter(({ hostId }) => hostId === id)
    expect(things.map(({ subject }) => subject.split('/')[1])).toEqual(expect.not.arrayContaining(['new-1']))
  })

  it('tells readers of events that their history is lost: one that stayed, and one that resumes', async () => {
    const told = () => reader.messages.some(({ event }) => event === 'reset')
    if (reader.closed && !told()) reader = await resume(reader.lastId)
    await eventually(() => expect(told()).toBe(true))
    const resumed = await resume(lastIdBefore)
    await eventually(() => expect(resumed.messages[0]?.event).toBe('reset'))
    resumed.close()
  })
})
