import type { RunningSimulation } from '../../../src/simulate/simulation.js'
import type { TestEngine } from '../../support/engine.js'
import { eventually } from '../../support/eventually.js'
import type { Body } from '../../support/http.js'
import { type ScriptedScenario, simulate } from './simulation.js'

export const PATIENCE = { timeoutMs: 10_000, intervalMs: 50 }
export const guestsPath = '/api/v1/guests'

type Served = Pick<TestEngine, 'http' | 'joinToken'> & { readonly tcp: Pick<TestEngine['tcp'], 'host' | 'port'> }

export interface GuestPlane {
  readonly simulation: RunningSimulation
  readonly connectionId: string
  readonly networkId: string
  readonly imageId: string
  /** What a guest is asked for with, and whatever the test is about. */
  request(name: string, more?: object): object
  create(name: string, more?: object): Promise<Body>
  /** The guest once it is so. */
  until(id: string, expected: object): Promise<Body>
  gone(id: string): Promise<void>
}

export interface GuestPlaneOptions {
  readonly engine: Served
  readonly hosts?: number
  readonly namePrefix?: string
  /** As the storage is to be seen on all of them. */
  readonly storageStatus?: string
}

/** An engine with simulated hosts on which a storage is up, a network, and an image with an agent. */
export async function guestPlane(
  scenario: ScriptedScenario,
  { engine, hosts = 1, namePrefix = 'sim-', storageStatus = 'UP' }: GuestPlaneOptions,
): Promise<GuestPlane> {
  const joinToken = await engine.joinToken()
  const simulation = await simulate(engine.tcp, scenario, { hosts, namePrefix, joinToken })
  const names = simulation.hosts.map(({ name }) => `name=${name}`).join('&')
  const hostIds: string[] = await eventually(async () => {
    const { body } = await engine.http.get(`/api/v1/hosts?status=Up&${names}`)
    expect(body.items).toHaveLength(hosts)
    return body.items.map(({ id }: { id: string }) => id)
  }, PATIENCE)
  const storage = { name: `disks-${namePrefix}`, uri: 'local:///srv/disks', selector: { hostIds } }
  const storageId = (await engine.http.post('/api/v1/storages', storage)).body.id
  const connectionId = `storage:${storageId}`
  const network = { name: `net-${namePrefix}`, cidr: '192.0.2.0/24', bridge: 'br0', createBridge: true }
  const networkId = (await engine.http.post('/api/v1/networks', network)).body.id
  const image = {
    name: `image-${namePrefix}`,
    format: 'qcow2',
    connectionId,
    files: [{ role: 'disk', path: 'image.qcow2' }],
    hasAgent: true,
  }
  const imageId = (await engine.http.post('/api/v1/images', image)).body.id
  await eventually(async () => {
    const { body } = await engine.http.get(`/api/v1/storages/${storageId}`)
    expect(body.hosts).toMatchObject({ total: hosts, operating: { [storageStatus]: hosts } })
  }, PATIENCE)
  const request = (name: string, more: object = {}) => ({
    name,
    imageId,
    vcpus: 1,
    memoryMiB: 256,
    disks: [{ connectionId, sizeMiB: 1024 }],
    nics: [{ networkId }],
    bootTimeoutMs: 2_000,
    prepare: { packages: ['nginx'] },
    ...more,
  })
  return {
    simulation,
    connectionId,
    networkId,
    imageId,
    request,
    create: async (name, more) => {
      const { status, body } = await engine.http.post(guestsPath, request(name, more))
      if (status !== 202) throw new Error(`${status}: ${JSON.stringify(body)}`)
      return body
    },
    until: (id, expected) =>
      eventually(async () => {
        const { body } = await engine.http.get(`${guestsPath}/${id}`)
        expect(body).toMatchObject(expected)
        return body
      }, PATIENCE),
    gone: (id) =>
      eventually(async () => expect((await engine.http.get(`${guestsPath}/${id}`)).status).toBe(404), PATIENCE),
  }
}
