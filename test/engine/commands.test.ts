import { randomUUID } from 'node:crypto'
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
afterEach(() => {
  for (const agent of agents.splice(0)) agent.vanish()
})
afterAll(async () => {
  await engine.stop()
})

async function open(hello = helloOf(`c${++host}`), items: readonly InventoryItem[] = []): Promise<WireAgent> {
  const agent = await WireAgent.open(engine.tcp, hello, items)
  agents.push(agent)
  return agent
}

const path = (agent: WireAgent, id: string) => `/api/v1/hosts/${agent.hostId}/storage-connections/${id}`
const put = (agent: WireAgent, id: string, uri = 'local:///srv/a', headers: Record<string, string> = {}) =>
  engine.http.put(path(agent, id), { uri }, { headers })
const row = async (agent: WireAgent, id: string) => (await engine.http.get(path(agent, id))).body
const commandOf = async (id: string) => (await engine.http.get(`/api/v1/commands/${id}`)).body

/** A connection that is managed, with its agent. */
async function managed(id = 'a'): Promise<WireAgent> {
  const agent = await open()
  await put(agent, id)
  await agent.report(await agent.command(0))
  return agent
}

const held = (id: string): InventoryItem => ({
  subject: `storage-connection/${id}`,
  generation: 1,
  status: 'UP',
  origin: 'plane',
  digest: digestOf({ uri: 'local:///srv/a', options: {} }),
})

/** The agent comes back, and holds nothing. */
const back = async (agent: WireAgent, overrides: object = {}): Promise<WireAgent> => {
  agent.vanish()
  return open(agent.again(overrides))
}

/** An event is readable once no transaction that began before it is open, in whatever database of the server. */
async function expectEvents(agent: WireAgent, type: string, count: number): Promise<void> {
  await eventually(async () => {
    const { body } = await engine.http.get(`/api/v1/events?type=${type}&hostId=${agent.hostId}`)
    expect(body.items).toHaveLength(count)
  })
}

async function breakSettler(table: string, message: string): Promise<() => Promise<void>> {
  await engine.query(`CREATE OR REPLACE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN IF NEW.connection_id LIKE 'poison%' AND NEW.provisioning_status = 'ACTIVE' THEN RAISE EXCEPTION '${message}'; END IF; RETURN NEW; END $$`)
  await engine.query(`CREATE TRIGGER poison BEFORE UPDATE ON ${table} FOR EACH ROW EXECUTE FUNCTION poison()`)
  return async () => {
    await engine.query(`DROP TRIGGER poison ON ${table}`)
  }
}

describe('a command', () => {
  it('is stored with its row before the reply, and named in Location', async () => {
    const agent = await open()
    const reply = await put(agent, 'a')
    expect(reply.status).toBe(202)
    expect(reply.body).toMatchObject({ provisioningStatus: 'PENDING_CREATE', generation: 1 })
    const command = await commandOf(reply.headers.get('location')?.split('/').at(-1) ?? '')
    expect(command).toMatchObject({ kind: 'storage.manage', subject: 'storage-connection/a', generation: 1, seq: 1 })
  })

  it('reaches the agent with the whole intent, and its report makes the row ACTIVE', async () => {
    const agent = await open()
    await put(agent, 'a')
    const command = await agent.command(0)
    expect(command).toMatchObject({
      kind: 'storage.manage',
      payload: { connectionId: 'a', uri: 'local:///srv/a', options: {} },
      permitted: false,
      remainingMs: null,
      epoch: agent.epoch,
    })
    expect(await agent.report(command)).toEqual({ acknowledged: [command.id] })
    expect(await row(agent, 'a')).toMatchObject({ provisioningStatus: 'ACTIVE', target: 'local:///srv/a' })
    expect(await commandOf(command.id)).toMatchObject({ state: 'succeeded', attempts: 1 })
  })

  it('turns its row to ERROR with the words of the host when it fails, and a put asks again', async () => {
    const agent = await open()
    await put(agent, 'a')
    const fault = { type: 'mount-failed', message: 'mount: no such device', number: 477 }
    await agent.report(await agent.command(0), { state: 'failed', result: undefined, fault })
    expect(await row(agent, 'a')).toMatchObject({ provisioningStatus: 'ERROR', fault })
    await put(agent, 'a')
    await agent.report(await agent.command(1))
    expect(await row(agent, 'a')).toMatchObject({ provisioningStatus: 'ACTIVE', fault: null, generation: 2 })
  })

  it('waits for a host that is away, and is sent in order when it is back', async () => {
    const agent = await managed()
    agent.vanish()
    for (const id of ['x', 'y', 'z']) await put(agent, id)
    const again = await open(agent.again(), [held('a')])
    await again.command(2)
    expect(again.commands.map((c) => c.subject)).toEqual(['x', 'y', 'z'].map((id) => `storage-connection/${id}`))
    expect(again.commands.map((c) => c.seq)).toEqual([2, 3, 4])
  })

  it('is sent again by the next session when the one that had it died', async () => {
    const agent = await open()
    await put(agent, 'a')
    const first = await agent.command(0)
    const again = await back(agent)
    const second = await again.command(0)
    expect(second).toMatchObject({ id: first.id, seq: first.seq, epoch: again.epoch })
    expect((await commandOf(first.id)).attempts).toBe(2)
  })

  it('is ended by a report that comes over a later session than the one that delivered it', async () => {
    const agent = await open()
    await put(agent, 'a')
    const command = await agent.command(0)
    const again = await back(agent)
    expect(await again.report(command)).toEqual({ acknowledged: [command.id] })
    expect((await row(again, 'a')).provisioningStatus).toBe('ACTIVE')
  })

  it('is not ended by a report under an epoch that is over, which is refused', async () => {
    const agent = await open()
    await put(agent, 'a')
    const command = await agent.command(0)
    const again = await back(agent)
    expect(await again.report(command, {}, agent.epoch)).toMatchObject({ refused: true, code: 'fenced' })
    expect((await row(again, 'a')).provisioningStatus).toBe('PENDING_CREATE')
  })

  it('is settled once however often it is reported', async () => {
    const agent = await managed()
    const [command] = agent.commands
    if (!command) throw new Error('no command came')
    for (let i = 0; i < 3; i++) expect(await agent.report(command)).toEqual({ acknowledged: [command.id] })
    await expectEvents(agent, 'storage.connection.managed', 1)
  })

  it('acknowledges the report of a command that the database does not know', async () => {
    const agent = await managed()
    const unknown = { ...(agent.commands[0] as never as Parameters<WireAgent['report']>[0]), id: randomUUID() }
    expect(await agent.report(unknown)).toEqual({ acknowledged: [unknown.id] })
  })

  it('holds a window of commands per host, and goes on as they end', async () => {
    await engine.http.put('/api/v1/settings/commands.windowPerHost', { value: 2 })
    const agent = await open()
    for (const id of ['a', 'b', 'c', 'd', 'e']) await put(agent, id)
    await agent.command(1)
    await agent.beat()
    expect(agent.commands).toHaveLength(2)
    for (let i = 0; i < 5; i++) await agent.report(await agent.command(i))
    expect(agent.commands).toHaveLength(5)
    await engine.http.put('/api/v1/settings/commands.windowPerHost', { value: 64 })
  })
})

describe('a change while another is pending', () => {
  it('is refused with 409, and names a way out', async () => {
    const agent = await open()
    const { body } = await put(agent, 'a')
    const reply = await put(agent, 'a', 'local:///srv/b', { 'if-match': `"g${body.generation}"` })
    expect(reply).toMatchObject({ status: 409, body: { type: 'urn:keelson:problem:pending' } })
  })

  it('with Prefer: coalesce replaces what is still queued', async () => {
    const agent = await open()
    agent.vanish()
    await put(agent, 'a')
    const reply = await put(agent, 'a', 'local:///srv/b', { 'if-match': '"g1"', prefer: 'coalesce' })
    expect(reply).toMatchObject({ status: 202, body: { generation: 2, provisioningStatus: 'PENDING_CREATE' } })
    const again = await open(agent.again())
    const command = await again.command(0)
    expect(command).toMatchObject({ generation: 2, payload: { uri: 'local:///srv/b' } })
    const { body } = await engine.http.get(`/api/v1/commands?hostId=${agent.hostId}&state=superseded`)
    expect(body.items).toHaveLength(1)
  })

  it('that was coalesced stays PENDING while only the older generation has ended', async () => {
    const agent = await open()
    await put(agent, 'a')
    const first = await agent.command(0)
    await put(agent, 'a', 'local:///srv/b', { 'if-match': '"g1"', prefer: 'coalesce' })
    await agent.report(first, { state: 'failed', result: undefined, fault: { type: 'x-failed', message: 'no' } })
    expect(await row(agent, 'a')).toMatchObject({ provisioningStatus: 'PENDING_CREATE', generation: 2, fault: null })
    await agent.report(await agent.command(1))
    expect(await row(agent, 'a')).toMatchObject({ provisioningStatus: 'ACTIVE', uri: 'local:///srv/b' })
  })

  it('is refused with 412 when the generation has moved on', async () => {
    const agent = await managed()
    expect((await put(agent, 'a', 'local:///srv/b', { 'if-match': '"g9"' })).status).toBe(412)
  })

  it('that is a deletion is never refused', async () => {
    const agent = await open()
    await put(agent, 'a')
    const reply = await engine.http.delete(path(agent, 'a'))
    expect(reply).toMatchObject({ status: 202, body: { provisioningStatus: 'PENDING_DELETE', generation: 2 } })
  })
})

describe('a once command', () => {
  async function reset(agent: WireAgent) {
    const reply = await engine.http.post(`${path(agent, 'a')}/reset`)
    expect(reply.status).toBe(202)
    return agent.command()
  }

  it('needs a permit, which is granted alike when it is asked for again', async () => {
    const agent = await managed()
    const command = await reset(agent)
    expect(command.remainingMs).toBeGreaterThan(100_000)
    expect(await agent.permit(command)).toEqual({ granted: true })
    expect(await agent.permit(command)).toEqual({ granted: true })
    expect((await commandOf(command.id)).state).toBe('running')
    await agent.report(command)
    expect(await agent.permit(command)).toMatchObject({ granted: false })
    expect((await row(agent, 'a')).provisioningStatus).toBe('ACTIVE')
  })

  it('is sent again marked permitted, so that an agent that lost its journal does not run it twice', async () => {
    const agent = await managed()
    const command = await reset(agent)
    await agent.permit(command)
    const again = await back(agent)
    expect(await again.command(0)).toMatchObject({ id: command.id, permitted: true })
    await again.report(command, {
      state: 'failed',
      result: undefined,
      fault: { type: 'interrupted', message: 'unknown' },
    })
    expect(await commandOf(command.id)).toMatchObject({ state: 'failed', fault: { type: 'interrupted' } })
    expect((await row(again, 'a')).provisioningStatus).toBe('ACTIVE')
  })

  it('expires when it is not carried out in its time, and gets no permit afterwards', async () => {
    const agent = await managed()
    const command = await reset(agent)
    await engine.query(`UPDATE commands SET deadline_at = now() WHERE id = $1`, [command.id])
    await eventually(async () => expect((await commandOf(command.id)).state).toBe('expired'))
    expect(await agent.permit(command)).toMatchObject({ granted: false })
    expect((await row(agent, 'a')).provisioningStatus).toBe('ACTIVE')
    await expectEvents(agent, 'commands.command.expired', 1)
  })

  it('keeps its end when its success comes too late', async () => {
    const agent = await managed()
    const command = await reset(agent)
    await engine.query(`UPDATE commands SET deadline_at = now() WHERE id = $1`, [command.id])
    await eventually(async () => expect((await commandOf(command.id)).state).toBe('expired'))
    expect(await agent.report(command)).toEqual({ acknowledged: [command.id] })
    expect((await commandOf(command.id)).state).toBe('expired')
  })
})

describe('a level command that has expired', () => {
  async function expired(agent: WireAgent, id: string) {
    await put(agent, id)
    const command = await agent.command()
    await engine.query(`UPDATE commands SET deadline_at = now() WHERE id = $1`, [command.id])
    await eventually(async () => expect((await row(agent, id)).provisioningStatus).toBe('ERROR'))
    return command
  }

  it('turns its row to ERROR with the reason', async () => {
    const agent = await open()
    await expired(agent, 'a')
    expect(await row(agent, 'a')).toMatchObject({ fault: { type: 'expired' } })
  })

  it('heals the row by a late success while its generation is the newest', async () => {
    const agent = await open()
    const command = await expired(agent, 'a')
    await agent.report(command)
    expect(await row(agent, 'a')).toMatchObject({ provisioningStatus: 'ACTIVE', fault: null })
    expect(await commandOf(command.id)).toMatchObject({ state: 'succeeded', late: true })
  })

  it('heals nothing when a newer generation was asked for', async () => {
    const agent = await open()
    const command = await expired(agent, 'a')
    await put(agent, 'a')
    await agent.report(command)
    expect(await row(agent, 'a')).toMatchObject({ provisioningStatus: 'PENDING_UPDATE', generation: 2 })
  })

  it('that was a deletion ends DELETED all the same', async () => {
    const agent = await managed()
    await engine.http.delete(path(agent, 'a'))
    const command = await agent.command(1)
    await engine.query(`UPDATE commands SET deadline_at = now() WHERE id = $1`, [command.id])
    await eventually(async () => expect((await row(agent, 'a')).provisioningStatus).toBe('ERROR'))
    await agent.report(command)
    expect((await engine.http.get(path(agent, 'a'))).status).toBe(404)
  })
})

describe('a settler that throws', () => {
  it('marks its row ERROR, shows the error, and costs no other command anything', async () => {
    const repair = await breakSettler('storage_connections', 'poisoned')
    const agent = await open()
    await Promise.all([put(agent, 'poison'), put(agent, 'good')])
    await agent.command(1)
    const replies = await Promise.all(agent.commands.map((c) => agent.report(c)))
    expect(replies).toEqual(agent.commands.map((c) => ({ acknowledged: [c.id] })))
    expect(await row(agent, 'good')).toMatchObject({ provisioningStatus: 'ACTIVE' })
    expect(await row(agent, 'poison')).toMatchObject({ provisioningStatus: 'ERROR', fault: { type: 'unsettled' } })
    const poisoned = agent.commands.find((c) => c.subject.endsWith('poison'))
    expect(await commandOf(poisoned?.id ?? '')).toMatchObject({ state: 'succeeded', settleError: 'poisoned' })
    await repair()
    await put(agent, 'poison')
    await agent.report(await agent.command(2))
    expect(await row(agent, 'poison')).toMatchObject({ provisioningStatus: 'ACTIVE' })
  })
})

describe('a row whose command vanished', () => {
  it('becomes ERROR by itself', async () => {
    const agent = await open()
    await put(agent, 'a')
    await engine.query('DELETE FROM commands WHERE host_id = $1', [agent.hostId])
    await engine.query(`UPDATE storage_connections SET updated_at = now() - interval '1 hour' WHERE host_id = $1`, [
      agent.hostId,
    ])
    await engine.query(`UPDATE schedules SET next_run_at = now() WHERE name = 'storage.stuck'`)
    await eventually(async () =>
      expect(await row(agent, 'a')).toMatchObject({ provisioningStatus: 'ERROR', fault: { type: 'unsettled' } }),
    )
  })
})

describe('a command that was claimed and never sent', () => {
  it('is sent after all by the session that the host has', async () => {
    const agent = await managed()
    await put(agent, 'b')
    const command = await agent.command()
    await agent.report(command)
    await engine.query(
      `UPDATE commands SET state = 'dispatched', finished_at = NULL, epoch = 0, dispatched_at = now() - interval '1 minute' WHERE id = $1`,
      [command.id],
    )
    const again = await eventually(
      () => {
        const repeated = agent.commands.filter((c) => c.id === command.id)
        expect(repeated).toHaveLength(2)
        return repeated[1]
      },
      { timeoutMs: 10_000 },
    )
    expect(again).toMatchObject({ id: command.id, epoch: agent.epoch })
  })
})

describe('a command whose claim Postgres forgot as it was killed', () => {
  const forget = ({ id }: { id: string }) =>
    engine.query(
      `UPDATE commands SET state = 'queued', epoch = NULL, attempts = 0, dispatched_at = NULL WHERE id = $1`,
      [id],
    )

  it('is ended by the report of the agent that has it', async () => {
    const agent = await open()
    await put(agent, 'a')
    const command = await agent.command()
    await forget(command)
    await agent.report(command)
    expect(await commandOf(command.id)).toMatchObject({ state: 'succeeded' })
    expect(await row(agent, 'a')).toMatchObject({ provisioningStatus: 'ACTIVE' })
  })

  it('gets its permit, and is begun once', async () => {
    const agent = await managed()
    await engine.http.post(`${path(agent, 'a')}/reset`)
    const command = await agent.command()
    await forget(command)
    expect(await agent.permit(command)).toEqual({ granted: true })
    await agent.report(command)
    expect(await commandOf(command.id)).toMatchObject({ state: 'succeeded' })
  })

  it('is sent again where nothing was heard of it, as the same one', async () => {
    const agent = await open()
    await put(agent, 'a')
    const command = await agent.command()
    await forget(command)
    await put(agent, 'b')
    await eventually(() => expect(agent.commands.filter(({ id }) => id === command.id)).toHaveLength(2))
    expect(agent.commands.at(-1)?.seq).toBeGreaterThanOrEqual(command.seq)
    await agent.report(command)
    expect(await row(agent, 'a')).toMatchObject({ provisioningStatus: 'ACTIVE' })
  })
})

describe('the window of a host', () => {
  it('has room again for a once command whose permit was answered with its end', async () => {
    await engine.http.put('/api/v1/settings/commands.windowPerHost', { value: 1 })
    const agent = await managed()
    await engine.http.post(`${path(agent, 'a')}/reset`)
    const command = await agent.command()
    await engine.query('UPDATE commands SET deadline_at = now() WHERE id = $1', [command.id])
    expect(await agent.permit(command)).toEqual({ granted: false, reason: 'ended' })
    await put(agent, 'b')
    expect((await agent.command()).subject).toBe('storage-connection/b')
    await engine.http.put('/api/v1/settings/commands.windowPerHost', { value: 64 })
  })
})
