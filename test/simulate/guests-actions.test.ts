import 'reflect-metadata'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import type { Body } from '../support/http.js'
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
/** A guest that is ACTIVE, on a host of its own. */
async function activeGuest(rules: readonly object[] = [], more: object = {}): Promise<Body> {
  run += 1
  await engine.query('TRUNCATE networks CASCADE')
  plane = await guestPlane({ rules }, { engine, namePrefix: `act${run}-` })
  const { body } = await engine.http.get(`/api/v1/hosts?name=${plane.simulation.hosts[0]!.name}`)
  const { id } = await plane.create(`one-${run}`, { placement: { hostId: body.items[0].id }, ...more })
  return plane.until(id, { provisioningStatus: 'ACTIVE' })
}

const at = (id: string, rest = '') => `${guestsPath}/${id}${rest}`
const machine = (id: string) => plane.simulation.hosts[0]!.guests.guest(id)
const hello = { commands: [{ argv: ['echo', 'hello'] }] }

const untilItem = (path: string, expected: object): Promise<Body> =>
  eventually(async () => {
    const { body } = await engine.http.get(path)
    expect(body).toMatchObject(expected)
    return body
  }, PATIENCE)

const messageOf = (guestId: string, id: string, expected: object): Promise<Body> =>
  eventually(async () => {
    const { body } = await engine.http.get(at(guestId, '/messages'))
    const message = body.items.find((one: Body) => one.id === id)
    expect(message).toMatchObject(expected)
    return message
  }, PATIENCE)

describe('what is said to a guest', () => {
  it('is done in it once, after a pong of the boot that it is in', async () => {
    const { id, bootId } = await activeGuest()
    const { status, body } = await engine.http.post(at(id, '/messages'), hello)
    expect(status).toBe(202)
    expect(body).toMatchObject({ kind: 'run', state: 'queued', summary: { commands: 1 }, pings: 1 })
    const done = await messageOf(id, body.id, { state: 'succeeded', exitCode: 0, bootId })
    expect(done.pongAt).not.toBeNull()
    expect(machine(id)?.begun.filter((begun) => begun === body.id)).toHaveLength(1)
    const [row] = await engine.query('SELECT sealed_task FROM guest_messages WHERE id = $1', [body.id])
    expect(row).toEqual({ sealed_task: null })
    expect((await engine.http.get(at(id))).body).toMatchObject({ provisioningStatus: 'ACTIVE', generation: 1 })
  })

  it('ends with the layer that failed where it does not answer, and is begun nowhere', async () => {
    const { id } = await activeGuest([], { bootTimeoutMs: 1_500, restartPolicy: 'never' })
    machine(id)?.crashNow()
    const { body } = await engine.http.post(at(id, '/messages'), hello)
    await messageOf(id, body.id, { state: 'failed', fault: { type: 'vm-not-started' }, commandId: null })
    expect(machine(id)?.begun).not.toContain(body.id)
  })

  it('is refused by one that is to be stopped', async () => {
    const { id } = await activeGuest()
    await engine.http.post(at(id, '/stop'))
    await plane.until(id, { provisioningStatus: 'ACTIVE', operatingStatus: 'STOPPED' })
    expect(await engine.http.post(at(id, '/messages'), hello)).toMatchObject({ status: 409 })
  })
})

describe('a guest that ends by itself', () => {
  it('is started again by its host, which counts it', async () => {
    const { id, bootId } = await activeGuest()
    machine(id)?.crashNow()
    const again = await plane.until(id, { operatingStatus: 'RUNNING', restarts: 1 })
    expect(again.bootId).not.toBe(bootId)
  })

  it('begins another boot when it is asked to restart', async () => {
    const { id, bootId } = await activeGuest()
    expect((await engine.http.post(at(id, '/restart'))).status).toBe(202)
    await eventually(async () => {
      const { body } = await engine.http.get(at(id))
      expect(body).toMatchObject({ provisioningStatus: 'ACTIVE', operatingStatus: 'RUNNING', restarts: 0 })
      expect(body.bootId).not.toBe(bootId)
    }, PATIENCE)
  })
})

describe('a change of a guest', () => {
  it('is told to its host, and of its size only while it is stopped', async () => {
    const { id, hostId } = await activeGuest()
    expect((await engine.http.patch(at(id), { vcpus: 2 })).status).toBe(409)
    expect((await engine.http.patch(at(id), { restartPolicy: 'always', labels: { app: 'shop' } })).status).toBe(202)
    await plane.until(id, { provisioningStatus: 'ACTIVE', restartPolicy: 'always', labels: { app: 'shop' } })
    await engine.http.post(at(id, '/stop'))
    await plane.until(id, { provisioningStatus: 'ACTIVE', power: 'STOPPED', operatingStatus: 'STOPPED' })
    expect((await engine.http.patch(at(id), { vcpus: 2, memoryMiB: 512 })).status).toBe(202)
    await plane.until(id, { provisioningStatus: 'ACTIVE', vcpus: 2, memoryMiB: 512 })
    expect(machine(id)?.intent).toMatchObject({ vcpus: 2, memoryMiB: 512, power: 'STOPPED' })
    const [promise] = await engine.query('SELECT vcpus, memory_mib::int FROM host_promises WHERE host_id = $1', [
      hostId,
    ])
    expect(promise).toEqual({ vcpus: 2, memory_mib: 512 })
    expect((await engine.http.patch(at(id), { memoryMiB: 4_000_000 })).body.type).toMatch(/no-room$/)
  })

  it('takes a volume on and off while it is stopped', async () => {
    const { id } = await activeGuest()
    const data = { name: 'data', connectionId: plane.connectionId, sizeMiB: 64 }
    const { body: volume } = await engine.http.post('/api/v1/volumes', data)
    const path = `/api/v1/volumes/${volume.id}`
    await untilItem(path, { provisioningStatus: 'ACTIVE' })
    expect((await engine.http.post(at(id, '/disks'), { volumeId: volume.id })).status).toBe(409)
    await engine.http.post(at(id, '/stop'))
    await plane.until(id, { provisioningStatus: 'ACTIVE', operatingStatus: 'STOPPED' })
    expect((await engine.http.post(at(id, '/disks'), { volumeId: volume.id })).status).toBe(202)
    const { disks } = await plane.until(id, { provisioningStatus: 'ACTIVE' })
    expect(disks[1]).toMatchObject({ volumeId: volume.id, keep: true })
    expect((await engine.http.delete(path)).status).toBe(409)
    expect((await engine.http.delete(at(id, `/disks/${disks[0].volumeId}`))).status).toBe(409)
    expect((await engine.http.delete(at(id, `/disks/${volume.id}`))).status).toBe(202)
    await plane.until(id, { provisioningStatus: 'ACTIVE' })
    expect(machine(id)?.intent.disks).toHaveLength(1)
    await untilItem(path, { guestId: null, provisioningStatus: 'ACTIVE' })
  })
})

describe('a snapshot of a guest', () => {
  it('is what another guest may begin with, and goes when it is asked to', async () => {
    const { id, disks, imageId } = await activeGuest()
    const { status, body: taken } = await engine.http.post(at(id, '/snapshots'), { name: 'before' })
    expect(status).toBe(202)
    const path = at(id, `/snapshots/${taken.id}`)
    await untilItem(path, { provisioningStatus: 'ACTIVE', quiesced: true, disks: [{ volumeId: disks[0].volumeId }] })
    expect((await engine.http.post(at(id, '/snapshots'), { name: 'before' })).body.type).toMatch(/name-taken$/)
    const snapshot = { snapshotId: taken.id, volumeId: disks[0].volumeId }
    const disk = { connectionId: plane.connectionId, sizeMiB: 1024 }
    const clone = await plane.create(`clone-${run}`, { imageId, disks: [{ ...disk, snapshot }] })
    await plane.until(clone.id, { provisioningStatus: 'ACTIVE', operatingStatus: 'RUNNING' })
    const wrong = { ...snapshot, volumeId: taken.id }
    const refused = await engine.http.post(guestsPath, plane.request('no', { disks: [{ ...disk, snapshot: wrong }] }))
    expect(refused).toMatchObject({ status: 422, body: { faults: [{ field: 'disks.0.snapshot' }] } })
    expect((await engine.http.delete(path)).status).toBe(202)
    await eventually(async () => expect((await engine.http.get(path)).status).toBe(404), PATIENCE)
  })
})

describe('the host of a guest', () => {
  it('is in maintenance once the guest is stopped', async () => {
    const { id, hostId } = await activeGuest()
    expect((await engine.http.post(`/api/v1/hosts/${hostId}/maintenance`, {})).body.status).toBe(
      'PreparingForMaintenance',
    )
    expect((await engine.http.post(at(id, '/stop'))).status).toBe(202)
    await untilItem(`/api/v1/hosts/${hostId}`, { status: 'Maintenance' })
  })
})

describe('the host of a guest that could not be made', () => {
  const failed = async (how: string) => {
    run += 1
    await engine.query('TRUNCATE networks CASCADE')
    const rules = [{ fault: 'guest', params: { how, message: 'out of order' } }]
    plane = await guestPlane({ rules }, { engine, namePrefix: `act${run}-` })
    const { body } = await engine.http.get(`/api/v1/hosts?name=${plane.simulation.hosts[0]!.name}`)
    const hostId: string = body.items[0].id
    const { id } = await plane.create(`one-${run}`, { placement: { hostId } })
    await plane.until(id, { provisioningStatus: 'ERROR' })
    return { id, hostId }
  }

  it('is in maintenance where nothing of it runs', async () => {
    const { hostId } = await failed('volume-failed')
    await engine.http.post(`/api/v1/hosts/${hostId}/maintenance`, {})
    await untilItem(`/api/v1/hosts/${hostId}`, { status: 'Maintenance' })
  })

  it('is in maintenance only once it is removed where it runs and does not answer', async () => {
    const { id, hostId } = await failed('agent-silent')
    await plane.until(id, { operatingStatus: 'RUNNING' })
    expect((await engine.http.post(`/api/v1/hosts/${hostId}/maintenance`, {})).body.status).toBe(
      'PreparingForMaintenance',
    )
    expect((await engine.http.delete(at(id))).status).toBe(202)
    await untilItem(`/api/v1/hosts/${hostId}`, { status: 'Maintenance' })
  })
})

describe('a flow of storage connections', () => {
  it('does not go while a volume is on one of them', async () => {
    const { hostId } = await activeGuest()
    const list = `/api/v1/hosts/${hostId}/storage-connections`
    const uri = 'local:///srv/flow'
    for (const one of ['flow_a', 'flow_b']) await engine.http.put(`${list}/${one}`, { uri })
    await untilItem(`${list}/flow_b`, { operatingStatus: 'UP' })
    const { body: volume } = await engine.http.post('/api/v1/volumes', {
      name: 'v',
      connectionId: 'flow_b',
      sizeMiB: 1,
    })
    const refused = await engine.http.delete(`${list}?prefix=flow_`)
    expect(refused).toMatchObject({ status: 409, body: { users: [{ noun: 'volume', id: volume.id, name: 'v' }] } })
    expect((await engine.http.get(`${list}/flow_a`)).body.provisioningStatus).not.toBe('PENDING_DELETE')
  })
})
