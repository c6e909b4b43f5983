import 'reflect-metadata'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryDirectory } from '../agent/support/temporary.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { type ScriptedScenario, simulate } from './support/simulation.js'

const PATIENCE = { timeoutMs: 20_000, intervalMs: 100 }
const HOSTS = 6

let engine: TestEngine
beforeAll(async () => {
  engine = await startTestEngine()
})
afterAll(() => engine.stop())

/** Simulated hosts with a prefix of their own, once the engine knows all of them. */
async function hostsOf(namePrefix: string, scenario: ScriptedScenario, commandLog: string | null = null) {
  const overrides = { hosts: HOSTS, namePrefix, joinToken: await engine.joinToken(), commandLog }
  const simulation = await simulate(engine.tcp, scenario, overrides)
  const ids = await eventually(async () => {
    const { body } = await engine.http.get('/api/v1/hosts?limit=500')
    const known: { id: string; name: string; status: string }[] = body.items
    const up = known.filter(({ name, status }) => name.startsWith(namePrefix) && status === 'Up')
    expect(up).toHaveLength(HOSTS)
    return new Map(up.map(({ id, name }) => [name, id]))
  }, PATIENCE)
  return { simulation, ids }
}

const path = (hostId: string, connectionId: string) => `/api/v1/hosts/${hostId}/storage-connections/${connectionId}`
const uriOf = (connectionId: string) => `posix:///srv/${connectionId}.img?fstype=ext4`

async function putOnAll(ids: Iterable<string>, connectionIds: readonly string[]): Promise<void> {
  for (const hostId of ids) {
    for (const connectionId of connectionIds) {
      const reply = await engine.http.put(path(hostId, connectionId), { uri: uriOf(connectionId) })
      expect(reply.status).toBe(202)
    }
  }
}

async function allAre(ids: Iterable<string>, connectionIds: readonly string[], expected: object): Promise<void> {
  for (const hostId of ids) {
    for (const connectionId of connectionIds) {
      await eventually(async () => {
        const { body } = await engine.http.get(path(hostId, connectionId))
        expect(body).toMatchObject(expected)
      }, PATIENCE)
    }
  }
}

describe('a real engine and simulated hosts', () => {
  it('bring what is asked for to the hosts, and show it UP', async () => {
    const { simulation, ids } = await hostsOf('plain-', {})
    await putOnAll(ids.values(), ['a', 'b'])
    await allAre(ids.values(), ['a', 'b'], {
      provisioningStatus: 'ACTIVE',
      operatingStatus: 'UP',
      target: expect.any(String),
    })
    for (const host of simulation.hosts) expect(host.inventory()).toHaveLength(2)
  })

  it('end every command once while reports repeat, change places and hosts vanish and crash', async () => {
    const commandLog = join(await temporaryDirectory(), 'commands.ndjson')
    const rules = [
      { fault: 'slow', probability: 0.5, params: { delayMs: 0, spreadMs: 50 } },
      { fault: 'repeat', probability: 0.5 },
      { fault: 'reorder', probability: 0.5 },
      { fault: 'vanish', probability: 0.2, params: { forMs: 50 } },
      { fault: 'crash', probability: 0.05, params: { forMs: 50 } },
    ]
    const { simulation, ids } = await hostsOf('stormy-', { rules }, commandLog)
    const connectionIds = ['a', 'b', 'c', 'd', 'e', 'f']
    await putOnAll(ids.values(), connectionIds)
    await allAre(ids.values(), connectionIds, { provisioningStatus: 'ACTIVE', operatingStatus: 'UP' })
    const { faults } = simulation.summary().statistics
    expect(Object.keys(faults)).toEqual(expect.arrayContaining(['repeat', 'reorder', 'vanish', 'crash']))
    const states = await engine.query<{ id: string; state: string }>(
      'SELECT id, state FROM commands WHERE host_id = ANY($1)',
      [[...ids.values()]],
    )
    expect(states.filter(({ state }) => !['succeeded', 'superseded'].includes(state))).toEqual([])
    // a row is ACTIVE a little before its host has heard that the report is recorded
    await eventually(
      async () => {
        const lines = (await readFile(commandLog, 'utf8')).trimEnd().split('\n')
        const ended = lines.map((line) => JSON.parse(line)).filter(({ step }) => step === 'reported')
        const reported = new Set(ended.map(({ commandId }) => commandId))
        expect(states.filter(({ id, state }) => state === 'succeeded' && !reported.has(id))).toEqual([])
      },
      { timeoutMs: 20_000 },
    )
    await simulation.stop()
  })

  it('give a host that lost its state all of it again, and quarantine what nobody asked for', async () => {
    const { simulation, ids } = await hostsOf('forgetful-', {})
    await putOnAll(ids.values(), ['a'])
    await allAre(ids.values(), ['a'], { provisioningStatus: 'ACTIVE', operatingStatus: 'UP' })
    const [forgetful, secretive] = simulation.hosts
    await forgetful!.loseState(10, ['journal', 'storage'])
    await secretive!.showUnknown({ connections: 1, prefix: 'extra-', origin: 'plane' })
    await eventually(
      () => expect(forgetful!.inventory()).toMatchObject([{ subject: 'storage-connection/a' }]),
      PATIENCE,
    )
    await allAre([ids.get(forgetful!.name)!], ['a'], { provisioningStatus: 'ACTIVE', operatingStatus: 'UP' })
    await eventually(async () => {
      const { body } = await engine.http.get(`/api/v1/quarantine?hostId=${ids.get(secretive!.name)}`)
      expect(body.items).toMatchObject([{ subject: 'storage-connection/extra-1', state: 'held', reason: 'unknown' }])
    }, PATIENCE)
    expect(secretive!.inventory()).toHaveLength(2)
  })

  it('show what fails on a host with the words of the host', async () => {
    const rules = [{ fault: 'refuse', params: { type: 'mount', message: 'wrong fs type', number: 477 } }]
    const { ids } = await hostsOf('refusing-', { rules })
    await putOnAll(ids.values(), ['a'])
    const fault = expect.objectContaining({ type: 'mount', message: 'wrong fs type', number: 477 })
    await allAre(ids.values(), ['a'], { provisioningStatus: 'ERROR', fault })
  })

  it('serve an older agent by what it understands', async () => {
    const rules = [{ fault: 'old-protocol', params: { kinds: ['storage.manage'] } }]
    const { ids } = await hostsOf('older-', { rules })
    const [hostId] = ids.values()
    await putOnAll([hostId!], ['a'])
    await allAre([hostId!], ['a'], { provisioningStatus: 'ACTIVE' })
    const reply = await engine.http.post(`${path(hostId!, 'a')}/reset`)
    expect(reply.status).toBe(409)
    expect(reply.body.detail).toContain('storage.reset')
  })
})
