import { digestOf } from '../../src/wire/digest.js'
import type { InventoryItem } from '../../src/wire/session.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

let engine: TestEngine
let host = 0
const agents: WireAgent[] = []

beforeAll(async () => {
  engine = await startTestEngine()
})
afterEach(async () => {
  for (const agent of agents.splice(0)) agent.vanish()
  await engine.query(`UPDATE quarantine SET state = 'dismissed' WHERE state = 'held'`)
})
afterAll(async () => {
  await engine.stop()
})

async function open(hello = helloOf(`r${++host}`), items: readonly InventoryItem[] = []): Promise<WireAgent> {
  const agent = await WireAgent.open(engine.tcp, hello, items)
  agents.push(agent)
  return agent
}

const URI = 'local:///srv/a'
const item = (id: string, more: Partial<InventoryItem> = {}, uri = URI): InventoryItem => ({
  subject: `storage-connection/${id}`,
  generation: 1,
  status: 'UP',
  origin: 'plane',
  digest: digestOf({ uri, options: {} }),
  detail: { uri },
  ...more,
})
const path = (agent: WireAgent, id: string) => `/api/v1/hosts/${agent.hostId}/storage-connections/${id}`
const row = async (agent: WireAgent, id: string) => (await engine.http.get(path(agent, id))).body
const quarantined = async (agent: WireAgent) =>
  (await engine.http.get(`/api/v1/quarantine?hostId=${agent.hostId}&state=held`)).body.items

async function managed(...ids: string[]): Promise<WireAgent> {
  const agent = await open()
  for (const [i, id] of ids.entries()) {
    await engine.http.put(path(agent, id), { uri: URI })
    await agent.report(await agent.command(i))
  }
  return agent
}

const back = (agent: WireAgent, items: readonly InventoryItem[], overrides: object = {}): Promise<WireAgent> => {
  agent.vanish()
  return open(agent.again(overrides), items)
}

describe('the comparison of intent and fact', () => {
  it('sends nothing when the host holds what it should, and takes over what it sees', async () => {
    const agent = await managed('a')
    const again = await back(agent, [item('a', { status: 'DEGRADED' })])
    await again.beat()
    expect(again.commands).toEqual([])
    expect(await row(again, 'a')).toMatchObject({
      provisioningStatus: 'ACTIVE',
      operatingStatus: 'DEGRADED',
      connected: true,
    })
  })

  it('sends again what is missing on the host, above every generation before', async () => {
    const agent = await managed('a')
    const again = await back(agent, [])
    expect(await again.command(0)).toMatchObject({ kind: 'storage.manage', generation: 2 })
    await again.report(await again.command(0))
    expect(await row(again, 'a')).toMatchObject({ provisioningStatus: 'ACTIVE', generation: 2 })
  })

  it('sends again what the host holds in another form than was asked for', async () => {
    const agent = await managed('a')
    const again = await back(agent, [item('a', {}, 'local:///other')])
    expect(await again.command(0)).toMatchObject({ kind: 'storage.manage', generation: 2, payload: { uri: URI } })
  })

  it('leaves alone what has a command under way', async () => {
    const agent = await open()
    await engine.http.put(path(agent, 'a'), { uri: URI })
    const first = await agent.command(0)
    const again = await back(agent, [])
    await again.command(0)
    await again.beat()
    expect(again.commands.map((c) => c.id)).toEqual([first.id])
  })

  it('asks again for a row in ERROR', async () => {
    const agent = await open()
    await engine.http.put(path(agent, 'a'), { uri: URI })
    await agent.report(await agent.command(0), {
      state: 'failed',
      result: undefined,
      fault: { type: 'x-failed', message: 'no' },
    })
    const again = await back(agent, [])
    await again.report(await again.command(0))
    expect((await row(again, 'a')).provisioningStatus).toBe('ACTIVE')
  })

  it('shows what the host made for itself, and counts it as no fault', async () => {
    const agent = await open()
    const again = await back(agent, [item('own', { origin: 'host' })])
    const { body } = await engine.http.get(`/api/v1/quarantine?hostId=${again.hostId}&reason=host`)
    expect(body.items).toMatchObject([{ subject: 'storage-connection/own', reason: 'host' }])
    expect(again.commands).toEqual([])
  })
})

describe('a thing that the database does not know', () => {
  it('is quarantined: shown, and not removed', async () => {
    const agent = await open(helloOf(`r${++host}`), [item('ghost', { generation: 7 })])
    await agent.beat()
    expect(agent.commands).toEqual([])
    expect(await quarantined(agent)).toMatchObject([
      { subject: 'storage-connection/ghost', generation: 7, reason: 'unknown', status: 'UP', detail: { uri: URI } },
    ])
  })

  it('is released when the host no longer shows it', async () => {
    const agent = await open(helloOf(`r${++host}`), [item('ghost')])
    const again = await back(agent, [])
    expect(await quarantined(again)).toEqual([])
  })

  it('is accounted for when it is put: the new row goes on above its generation', async () => {
    const agent = await open(helloOf(`r${++host}`), [item('ghost', { generation: 7 })])
    const { body } = await engine.http.put(path(agent, 'ghost'), { uri: URI })
    expect(body.generation).toBe(8)
    expect(await quarantined(agent)).toEqual([])
  })

  it('is removed when an operator says so, and the tombstone is confirmed', async () => {
    const agent = await open(helloOf(`r${++host}`), [item('ghost', { generation: 7 })])
    const [thing] = await quarantined(agent)
    expect((await engine.http.post(`/api/v1/quarantine/${thing.id}/remove`)).status).toBe(200)
    const command = await agent.command(0)
    expect(command).toMatchObject({ kind: 'storage.unmanage', generation: 7 })
    await agent.report(command)
    const { body } = await engine.http.get(`/api/v1/tombstones?hostId=${agent.hostId}`)
    expect(body.items).toMatchObject([{ subject: 'storage-connection/ghost', state: 'confirmed' }])
  })

  it('counts no more once it was dismissed, until its host shows another generation', async () => {
    const agent = await open(helloOf(`r${++host}`), [item('ghost')])
    const [thing] = await quarantined(agent)
    await engine.http.post(`/api/v1/quarantine/${thing.id}/dismiss`)
    const again = await back(agent, [item('ghost')])
    expect(await quarantined(again)).toEqual([])
    const third = await back(again, [item('ghost', { generation: 2 })])
    expect(await quarantined(third)).toHaveLength(1)
  })

  it('stops every removal and raises an alarm when there are more than a few', async () => {
    const agent = await managed('gone')
    agent.vanish()
    await engine.http.delete(path(agent, 'gone'))
    const { body } = await engine.http.get(`/api/v1/tombstones?hostId=${agent.hostId}`)
    await engine.http.post(`/api/v1/tombstones/${body.items[0].id}/forget`)
    const ghosts = ['g1', 'g2', 'g3', 'g4'].map((id) => item(id))
    const again = await open(agent.again(), [item('gone'), ...ghosts])
    await again.beat()
    expect(again.commands).toEqual([])
    await eventually(async () => {
      const alarms = await engine.http.get('/api/v1/events?type=hosts.removals.stopped')
      expect(alarms.body.items.length).toBeGreaterThan(0)
    })
    for (const { id } of await quarantined(again)) await engine.http.post(`/api/v1/quarantine/${id}/dismiss`)
    const third = await back(again, [item('gone'), ...ghosts])
    expect(await third.command(0)).toMatchObject({ kind: 'storage.unmanage', subject: 'storage-connection/gone' })
  })
})

describe('a deletion on a host that does not answer', () => {
  async function deletedWhileAway(): Promise<{ agent: WireAgent; tombstone: { id: string } }> {
    const agent = await managed('a')
    agent.vanish()
    await engine.http.delete(path(agent, 'a'))
    const { body } = await engine.http.get(`/api/v1/tombstones?hostId=${agent.hostId}&state=waiting`)
    return { agent, tombstone: body.items[0] }
  }

  it('leaves a tombstone, keeps the name, and ends when the host is back', async () => {
    const { agent } = await deletedWhileAway()
    expect((await engine.http.put(path(agent, 'a'), { uri: URI })).status).toBe(409)
    const again = await open(agent.again(), [item('a')])
    await again.report(await again.command(0))
    expect((await engine.http.get(path(again, 'a'))).status).toBe(404)
    expect((await engine.http.get(`/api/v1/tombstones?hostId=${agent.hostId}`)).body.items).toMatchObject([
      { state: 'confirmed' },
    ])
  })

  it('gives the name free by forget, and the thing is removed when the host shows it', async () => {
    const { agent, tombstone } = await deletedWhileAway()
    expect((await engine.http.post(`/api/v1/tombstones/${tombstone.id}/forget`)).body.state).toBe('forgotten')
    expect((await engine.http.get(path(agent, 'a'))).status).toBe(404)
    const again = await open(agent.again(), [item('a')])
    const command = await again.command(0)
    expect(command.kind).toBe('storage.unmanage')
    await again.report(command)
    expect((await engine.http.get(`/api/v1/tombstones?hostId=${agent.hostId}`)).body.items).toMatchObject([
      { state: 'confirmed' },
    ])
  })

  it('does not remove what took the place of a forgotten thing', async () => {
    const { agent, tombstone } = await deletedWhileAway()
    await engine.http.post(`/api/v1/tombstones/${tombstone.id}/forget`)
    const { body } = await engine.http.put(path(agent, 'a'), { uri: URI })
    expect(body.generation).toBe(3)
    const again = await open(agent.again(), [item('a')])
    expect(await again.command(0)).toMatchObject({ kind: 'storage.manage', generation: 3 })
  })

  it('refuses to forget twice', async () => {
    const { tombstone } = await deletedWhileAway()
    await engine.http.post(`/api/v1/tombstones/${tombstone.id}/forget`)
    expect((await engine.http.post(`/api/v1/tombstones/${tombstone.id}/forget`)).status).toBe(409)
  })
})

describe('a database that was put back', () => {
  /** What a restore of an older dump looks like from here: rows and counters of before. */
  async function rewind(agent: WireAgent, generation: number): Promise<void> {
    await engine.query('UPDATE hosts SET session_epoch = 1 WHERE id = $1', [agent.hostId])
    await engine.query('UPDATE host_sequences SET last_seq = 1 WHERE host_id = $1', [agent.hostId])
    await engine.query(`DELETE FROM commands WHERE host_id = $1 AND seq > 1`, [agent.hostId])
    await engine.query('UPDATE storage_connections SET generation = $2 WHERE host_id = $1', [agent.hostId, generation])
  }

  it('begins a new incarnation, and goes on above every epoch and number that the host has seen', async () => {
    const agent = await managed('a', 'b', 'c')
    const again = await back(agent, [item('a'), item('b'), item('c')])
    again.vanish()
    await rewind(again, 1)
    const third = await open(again.again({ seq: 3 }), [item('a'), item('b'), item('c')])
    expect(third.epoch).toBe(again.epoch + 1)
    expect(third.welcome?.incarnation).not.toBe(again.welcome?.incarnation)
    await engine.http.put(path(third, 'd'), { uri: URI })
    expect((await third.command(0)).seq).toBe(4)
  })

  it('adopts a newer generation that says the same', async () => {
    const agent = await managed('a')
    agent.vanish()
    await rewind(agent, 1)
    const again = await open(agent.again({ epoch: 9 }), [item('a', { generation: 5 })])
    await again.beat()
    expect(again.commands).toEqual([])
    expect(await row(again, 'a')).toMatchObject({ generation: 5, provisioningStatus: 'ACTIVE' })
  })

  it('quarantines a newer generation that says something else, changes nothing on the host, and a put decides', async () => {
    const agent = await managed('a')
    agent.vanish()
    await rewind(agent, 1)
    const again = await open(agent.again({ epoch: 9 }), [item('a', { generation: 5 }, 'local:///newer')])
    await again.beat()
    expect(again.commands).toEqual([])
    expect(await quarantined(again)).toMatchObject([{ reason: 'newer', generation: 5 }])
    expect(await row(again, 'a')).toMatchObject({
      generation: 5,
      provisioningStatus: 'ERROR',
      fault: { type: 'newer-on-host' },
    })
    await engine.http.put(path(again, 'a'), { uri: URI })
    expect(await again.command(0)).toMatchObject({ generation: 6, payload: { uri: URI } })
  })

  it('numbers waiting level commands anew, and ends waiting once commands as unknown', async () => {
    const agent = await managed('a')
    await engine.http.post(`${path(agent, 'a')}/reset`)
    await agent.command(1)
    agent.vanish()
    await eventually(async () =>
      expect((await engine.http.get(`/api/v1/hosts/${agent.hostId}`)).body.connected).toBe(false),
    )
    await engine.http.put(path(agent, 'b'), { uri: URI })
    const again = await open(agent.again({ epoch: 9, seq: 50 }), [item('a')])
    expect(await again.command(0)).toMatchObject({ kind: 'storage.manage', seq: 51 })
    const { body } = await engine.http.get(`/api/v1/commands?hostId=${agent.hostId}&kind=storage.reset`)
    expect(body.items).toMatchObject([{ state: 'failed', fault: { type: 'interrupted' } }])
    expect((await row(again, 'a')).provisioningStatus).toBe('ACTIVE')
  })
})

describe('a thing that was disputed', () => {
  it('stays so when the host comes back: only an operator says what holds', async () => {
    const agent = await managed('a')
    agent.vanish()
    const newer = [item('a', { generation: 5 }, 'local:///newer')]
    const again = await open(agent.again({ epoch: 9 }), newer)
    const third = await back(again, newer)
    await third.beat()
    expect(third.commands).toEqual([])
    expect((await row(third, 'a')).provisioningStatus).toBe('ERROR')
    expect(await quarantined(third)).toHaveLength(1)
  })
})

describe('a row in ERROR whose host holds just what is wanted', () => {
  it('is healed by the inventory', async () => {
    const agent = await managed('a')
    await engine.query(`UPDATE storage_connections SET provisioning_status = 'ERROR' WHERE host_id = $1`, [
      agent.hostId,
    ])
    const again = await back(agent, [item('a')])
    expect(await row(again, 'a')).toMatchObject({ provisioningStatus: 'ACTIVE', generation: 1 })
    expect(again.commands).toEqual([])
  })

  it('leads where the host says that it does, not where it led before the change that went wrong', async () => {
    const agent = await managed('a')
    await agent.observe([{ subject: 'storage-connection/a', generation: 1, status: 'UP', fault: null }])
    const { connectedSince, targetId } = await row(agent, 'a')
    const moved = 'local:///srv/b'
    await engine.http.put(path(agent, 'a'), { uri: moved }, { headers: { 'if-match': '*' } })
    const fault = { type: 'x-failed', message: 'no' }
    await agent.report(await agent.command(1), { state: 'failed', result: undefined, fault })
    expect(await row(agent, 'a')).toMatchObject({ provisioningStatus: 'ERROR', target: URI })
    const held = item('a', { generation: 2, detail: { uri: moved, target: moved } }, moved)
    const healed = await row(await back(agent, [held]), 'a')
    expect(healed).toMatchObject({ provisioningStatus: 'ACTIVE', generation: 2, target: moved, connected: true })
    expect(healed.targetId).not.toBe(targetId)
    expect(new Date(healed.connectedSince).getTime()).toBeGreaterThan(new Date(connectedSince).getTime())
    const holders = await engine.http.get(`/api/v1/storage-targets/${healed.targetId}/holders`)
    expect(holders.body.items).toContainEqual(expect.objectContaining({ connectionId: 'a', hostId: agent.hostId }))
  })
})

describe('a host that fell silent', () => {
  it('shows its connections as UNKNOWN until it is back', async () => {
    const agent = await managed('a')
    await agent.observe([{ subject: 'storage-connection/a', generation: 1, status: 'UP', fault: null }])
    agent.vanish()
    await eventually(async () =>
      expect(await row(agent, 'a')).toMatchObject({ operatingStatus: 'UNKNOWN', connected: false }),
    )
    const again = await open(agent.again(), [item('a')])
    expect(await row(again, 'a')).toMatchObject({ operatingStatus: 'UP', connected: true })
  })
})
