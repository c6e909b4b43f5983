import { writeFileSync } from 'node:fs'
import { commandKinds } from '../../src/wire/commands.js'
import { PROTOCOL } from '../../src/wire/session.js'
import { eventually } from '../support/eventually.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'
import { Figures } from './support/figures.js'
import { Ground } from './support/ground.js'
import { Plane } from './support/plane.js'
import type { Body } from './support/rest.js'
import { scaled } from './support/scale.js'
import { Simulation } from './support/simulation.js'

const HOSTS = scaled(200, 20)
const figures = new Figures('Agents of other ages')
const ground = new Ground()
let plane: Plane

beforeAll(async () => {
  plane = await Plane.start(ground)
})

afterAll(async () => {
  figures.print()
  await plane?.stop()
  ground.clear()
})

const dial = (name: string, overrides: Parameters<typeof helloOf>[1]) =>
  WireAgent.dial(plane.tcp, helloOf(name, overrides))

it('are refused by name where the protocol is too old, and nothing that they say is stored', async () => {
  const oldest = PROTOCOL.oldest
  for (let protocol = 0; protocol < oldest; protocol += 1) {
    const agent = await dial('ancient', { protocol })
    expect(agent.refusal).toMatchObject({ code: 'protocol-unsupported' })
    expect(agent.refusal?.message).toMatch(
      new RegExp(`ancient speaks protocol ${protocol}.*${oldest} to ${PROTOCOL.current}`),
    )
    agent.vanish()
  }
  for (const host of await plane.rest.all('/api/v1/hosts?name=ancient'))
    expect(host).toMatchObject({ connected: false, agentVersion: null })
  figures.add('protocols refused', oldest)
})

it('are served by the newest protocol that both speak, where theirs is newer', async () => {
  const agent = await dial('from-the-future', {
    protocol: PROTOCOL.current + 7,
    kinds: [...Object.keys(commandKinds), 'guests.dream'],
  })
  expect(agent.welcome).toMatchObject({ protocol: PROTOCOL.current })
  agent.vanish()
})

it('are not disturbed by fields that are new, nor disturb by them', async () => {
  const { host, said } = helloOf('additive')
  const hello = { ...said, mood: 'cheerful' }
  const agent = await WireAgent.open(plane.tcp, { host, said: hello })
  expect(agent.epoch).toBeGreaterThan(0)
  agent.vanish()
})

it('are served by what they understand, and refused the rest by name', async () => {
  const scenario = ground.path('old.json')
  const rules = [
    {
      hosts: '*',
      fault: 'old-protocol',
      params: { protocol: PROTOCOL.oldest, kinds: ['storage.manage', 'storage.unmanage'] },
    },
  ]
  writeFileSync(scenario, JSON.stringify({ rules }))
  const simulation = new Simulation(ground, plane, HOSTS, { scenario })
  const hosts = await simulation.hostsUp(plane)
  for (const { id, name } of hosts) {
    expect((await plane.put(id, 'old', 'local:///srv/old')).status).toBe(202)
    await plane.connection(id, 'old', { provisioningStatus: 'ACTIVE' })
    const refused = await plane.rest.send('POST', `/api/v1/hosts/${id}/storage-connections/old/reset`)
    expect(refused).toMatchObject({ status: 409, body: { type: 'urn:keelson:problem:unsupported-by-host' } })
    expect(refused.body.detail).toContain(name)
    expect(refused.body.detail).toContain('storage.reset')
    await plane.connection(id, 'old', { provisioningStatus: 'ACTIVE' })
    await plane.delete(id, 'old')
  }
  await eventually(async () => expect(await connectionsOf(hosts)).toEqual([]), { timeoutMs: 30_000, intervalMs: 100 })
  expect(simulation.lines().filter(({ kind }) => kind === 'storage.reset')).toEqual([])
  figures.add('hosts with fewer kinds', hosts.length)
  await simulation.stop()
})

it('end what was asked of them before they were put back to an older build', async () => {
  const newer = await WireAgent.open(plane.tcp, helloOf('downgraded'))
  await plane.put(newer.hostId, 'c', 'local:///srv/c')
  await newer.report(await newer.command(0))
  await plane.connection(newer.hostId, 'c', { provisioningStatus: 'ACTIVE' })
  const { body } = await plane.rest.send('POST', `/api/v1/hosts/${newer.hostId}/storage-connections/c/reset`)
  await newer.command(1)
  newer.vanish()
  const held = newer.commands[0]
  const older = await WireAgent.open(plane.tcp, newer.again({ kinds: ['storage.manage', 'storage.unmanage'] }), [])
  expect(held?.kind).toBe('storage.manage')
  await eventually(
    async () => {
      const command = (await plane.rest.get(`/api/v1/commands/${body.commandId}`)).body
      expect(command).toMatchObject({ state: 'failed', fault: { type: 'unsupported' } })
      expect(command.fault.message).toContain('storage.reset')
    },
    { timeoutMs: 20_000 },
  )
  older.vanish()
})

async function connectionsOf(hosts: readonly Body[]): Promise<Body[]> {
  return (await Promise.all(hosts.map(({ id }) => plane.rest.all(`/api/v1/hosts/${id}/storage-connections`)))).flat()
}
