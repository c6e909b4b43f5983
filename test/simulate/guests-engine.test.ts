import 'reflect-metadata'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { type GuestPlane, guestPlane, guestsPath, PATIENCE } from './support/guests.js'

let engine: TestEngine
let plane: GuestPlane

beforeAll(async () => {
  engine = await startTestEngine()
})
beforeEach(async () => {
  await engine.http.put('/api/v1/settings/sessions.silenceMs', { value: 60_000 })
})
afterAll(async () => {
  await engine?.stop()
})

let run = 0
/** Hosts of its own for each test: their simulation ends with it. */
async function planeWith(rules: readonly object[] = [], storageStatus = 'UP', hosts = 1): Promise<void> {
  run += 1
  await engine.query('TRUNCATE networks CASCADE')
  plane = await guestPlane({ rules }, { engine, storageStatus, hosts, namePrefix: `run${run}-` })
}

const hostNamed = (name: string) => plane.simulation.hosts.find((host) => host.name === name)!
const only = () => plane.simulation.hosts[0]!
const here = async () => {
  const { body } = await engine.http.get(`/api/v1/hosts?name=${only().name}`)
  return { placement: { hostId: body.items[0].id } }
}

describe('a guest on a simulated host', () => {
  it('is ACTIVE when it has answered and has done what prepare says, once', async () => {
    await planeWith()
    const made = await plane.create('web-1', { ...(await here()), userData: '#cloud-config' })
    expect(made).toMatchObject({ provisioningStatus: 'PENDING_CREATE', step: 'image', actions: ['rebuild', 'delete'] })
    const active = await plane.until(made.id, {
      provisioningStatus: 'ACTIVE',
      operatingStatus: 'RUNNING',
      agentPort: 'OPEN',
    })
    expect(active).toMatchObject({
      step: null,
      fault: null,
      disks: [{ sizeMiB: 1024, provisioningStatus: 'ACTIVE' }],
      nics: [{ networkId: plane.networkId, address: '192.0.2.1' }],
    })
    expect(active.lastPongAt).not.toBeNull()
    const { body } = await engine.http.get(`${guestsPath}/${made.id}/messages`)
    expect(body.items).toMatchObject([
      {
        kind: 'prepare',
        state: 'succeeded',
        exitCode: 0,
        pings: 1,
        bootId: active.bootId,
        summary: { packages: ['nginx'] },
      },
    ])
    expect(only().guests.guest(made.id)?.begun).toEqual([body.items[0].id])
    expect((await engine.http.delete(`${guestsPath}/${made.id}`)).status).toBe(202)
    await plane.gone(made.id)
  })

  it.each([
    'image-bad',
    'volume-failed',
    'seed-failed',
    'vm-not-started',
    'kernel-panic',
    'port-never-opened',
    'agent-silent',
    'agent-too-old',
    'prepare-failed',
  ])('is in ERROR that names the layer where that is %s, and leaves nothing when it is removed', async (how) => {
    await planeWith([{ fault: 'guest', params: { how, message: 'out of order' } }])
    const { id } = await plane.create('broken', await here())
    const failed = await plane.until(id, { provisioningStatus: 'ERROR', fault: { type: how } })
    if (how === 'kernel-panic')
      await plane.until(id, { consoleTail: expect.stringContaining('Kernel panic - not syncing: out of order') })
    expect(failed.actions).toEqual(['rebuild', 'delete'])
    const { body } = await engine.http.get(`${guestsPath}/${id}/messages`)
    const wasSent = how === 'prepare-failed'
    expect(body.items).toHaveLength(1)
    expect(body.items[0].commandId !== null).toBe(wasSent)
    await engine.http.delete(`${guestsPath}/${id}`)
    await plane.gone(id)
    await nothingLeft()
  })

  it('leaves nothing on its host nor in the database when it is removed while it is made', async () => {
    await planeWith([{ fault: 'guest', params: { how: 'slow-boot', delayMs: 60_000 } }])
    const { id } = await plane.create('slow', { ...(await here()), bootTimeoutMs: 60_000 })
    await plane.until(id, { step: 'ping' })
    expect((await engine.http.delete(`${guestsPath}/${id}`)).status).toBe(202)
    await plane.gone(id)
    await nothingLeft()
  })

  it('is made beside others of its image that are asked for at once', async () => {
    await planeWith()
    const where = await here()
    const made = await Promise.all(Array.from({ length: 8 }, (_, i) => plane.create(`of-one-image-${i}`, where)))
    for (const { id } of made) await plane.until(id, { provisioningStatus: 'ACTIVE' })
    for (const { id } of made) await engine.http.delete(`${guestsPath}/${id}`)
    for (const { id } of made) await plane.gone(id)
  })

  it('is made anew by a rebuild, on new disks, and told again what prepare says', async () => {
    await planeWith([{ fault: 'guest', times: 1, params: { how: 'agent-silent' } }])
    const { id, nics, disks } = await plane.create('again', await here())
    await plane.until(id, { provisioningStatus: 'ERROR', fault: { type: 'agent-silent' } })
    expect((await engine.http.post(`${guestsPath}/${id}/rebuild`)).status).toBe(202)
    const active = await plane.until(id, { provisioningStatus: 'ACTIVE' })
    expect(active.nics).toEqual(nics)
    expect(active.disks).toHaveLength(1)
    expect(active.disks[0].volumeId).not.toBe(disks[0].volumeId)
    const { body } = await engine.http.get(`${guestsPath}/${id}/messages`)
    expect(body.items).toMatchObject([
      { build: 2, state: 'succeeded' },
      { build: 1, state: 'failed' },
    ])
    await engine.http.delete(`${guestsPath}/${id}`)
    await plane.gone(id)
  })

  it('is paused, goes on, is reset, stopped and started as it is asked', async () => {
    await planeWith()
    const { id } = await plane.create('powered', await here())
    await plane.until(id, { provisioningStatus: 'ACTIVE' })
    const wants = async (action: string, operatingStatus: string) => {
      expect((await engine.http.post(`${guestsPath}/${id}/${action}`)).status).toBe(202)
      return plane.until(id, { provisioningStatus: 'ACTIVE', operatingStatus })
    }
    const { bootId } = await wants('pause', 'PAUSED')
    expect(await wants('resume', 'RUNNING')).toMatchObject({ bootId })
    await wants('reset', 'RUNNING')
    await eventually(async () => {
      const { body } = await engine.http.get(`${guestsPath}/${id}`)
      expect(body.bootId).not.toBe(bootId)
    }, PATIENCE)
    const stopped = await wants('stop', 'STOPPED')
    expect(stopped.actions).toEqual(['start', 'snapshot', 'update', 'attach', 'rebuild', 'delete'])
    expect((await engine.http.post(`${guestsPath}/${id}/pause`)).status).toBe(409)
    await wants('start', 'RUNNING')
  })
})

describe('the place of a guest', () => {
  it('is on no host whose storage is not up, and the answer tells of each why', async () => {
    await planeWith([{ fault: 'down', params: { targets: '*' } }], 'DOWN')
    const { status, body } = await engine.http.post(guestsPath, plane.request('nowhere'))
    expect(status).toBe(409)
    expect(body).toMatchObject({ type: 'urn:keelson:problem:no-room' })
    const reason = `storage connection ${plane.connectionId} is DOWN there`
    expect(body.refused).toContainEqual({ host: only().name, reason })
  })

  it('has room for as many as the host takes, however many are asked for at once', async () => {
    await planeWith()
    const host = (await engine.http.get(`/api/v1/hosts?name=${only().name}`)).body.items[0]
    const memoryMiB = Math.floor((host.facts.memoryBytes / 1_048_576 - 512) / 3)
    const asked = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        engine.http.post(guestsPath, plane.request(`many-${i}`, { memoryMiB, placement: { hostId: host.id } })),
      ),
    )
    expect(asked.filter(({ status }) => status === 202)).toHaveLength(3)
    expect(asked.filter(({ status }) => status === 409)).toHaveLength(3)
    const [promise] = await engine.query('SELECT guests, memory_mib FROM host_promises WHERE host_id = $1', [host.id])
    expect(promise).toEqual({ guests: 3, memory_mib: 3 * memoryMiB })
    for (const { body, status } of asked) {
      if (status !== 202) continue
      await engine.http.delete(`${guestsPath}/${body.id}`)
      await plane.gone(body.id)
    }
    await nothingLeft()
  })
})

describe('many guests that are asked for at once', () => {
  it('fill all hosts to the last place, and nobody is told to come again', async () => {
    const [hosts, each] = [4, 12]
    await planeWith([], 'UP', hosts)
    const hostLabels = { floor: `run${run}` }
    const { body } = await engine.http.get(
      `/api/v1/hosts?${plane.simulation.hosts.map(({ name }) => `name=${name}`).join('&')}`,
    )
    for (const { id } of body.items) await engine.http.patch(`/api/v1/hosts/${id}`, { labels: hostLabels })
    const memoryMiB = Math.floor((body.items[0].facts.memoryBytes / 1_048_576 - 512) / each)
    const ask = (i: number) =>
      engine.http.post(guestsPath, plane.request(`crowd-${i}`, { memoryMiB, nics: [], placement: { hostLabels } }))
    const asked = await Promise.all(Array.from({ length: hosts * each + 4 }, (_, i) => ask(i)))
    const count = (status: number) => asked.filter((reply) => reply.status === status).length
    expect({ made: count(202), refused: count(409) }).toEqual({ made: hosts * each, refused: 4 })
    const promises = await engine.query(
      'SELECT p.guests FROM host_promises p JOIN hosts h ON h.id = p.host_id WHERE h.labels ->> $1 = $2',
      ['floor', `run${run}`],
    )
    expect(promises).toEqual(Array(hosts).fill({ guests: each }))
  })
})

/** Neither on the host nor in the database, whatever is still on its way. */
async function nothingLeft(): Promise<void> {
  await eventually(async () => {
    expect(hostNamed(only().name).guests.leftovers).toEqual([])
    expect(only().guests.disks.ids).toEqual([])
    const [left] = await engine.query(
      `SELECT (SELECT count(*) FROM volumes v JOIN hosts h ON h.id = v.host_id WHERE h.name = $1)::int AS volumes,
         (SELECT count(*) FROM guest_claims c JOIN hosts h ON h.id = c.host_id WHERE h.name = $1)::int AS claims,
         (SELECT coalesce(sum(p.guests + p.vcpus + p.memory_mib), 0) FROM host_promises p JOIN hosts h ON h.id = p.host_id
          WHERE h.name = $1)::int AS promised,
         (SELECT count(*) FROM network_addresses WHERE holder_id IS NOT NULL)::int AS addresses,
         (SELECT count(*) FROM tombstones t JOIN hosts h ON h.id = t.host_id WHERE h.name = $1 AND t.state = 'waiting')::int AS waiting`,
      [only().name],
    )
    expect(left).toEqual({ volumes: 0, claims: 0, promised: 0, addresses: 0, waiting: 0 })
  }, PATIENCE)
}
