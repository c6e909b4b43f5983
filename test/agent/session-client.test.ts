import 'reflect-metadata'
import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import type { HostIdentity } from '../../src/agent/identity.js'
import type { UnreadableCommand } from '../../src/agent/open-session.js'
import { SessionClient, type SessionClientOptions } from '../../src/agent/session-client.js'
import { storageSubject } from '../../src/wire/commands.js'
import type { CommandMessage, InventoryItem, Welcome } from '../../src/wire/session.js'
import { testAuthority } from '../support/authority.js'
import { eventually } from '../support/eventually.js'
import { command } from './support/commands.js'
import { FakeEngine } from './support/fake-engine.js'
import { hello } from './support/hello.js'
import { recordingLogger } from './support/log.js'

const engines: FakeEngine[] = []
const clients: SessionClient[] = []

async function startEngine(...settings: Parameters<typeof FakeEngine.start>): Promise<FakeEngine> {
  const engine = await FakeEngine.start(...settings)
  engines.push(engine)
  return engine
}

let identity: HostIdentity
beforeAll(async () => {
  identity = await (await testAuthority()).identityOf('h1')
})

interface Agent {
  readonly client: SessionClient
  readonly commands: CommandMessage[]
  readonly welcomes: Welcome[]
  readonly unreadable: UnreadableCommand[]
  readonly floors: number[]
  readonly learned: string[][]
  readonly logger: ReturnType<typeof recordingLogger>
}

function startClient(
  addresses: SessionClientOptions['addresses'],
  overrides: Partial<SessionClientOptions> = {},
): Agent {
  const commands: CommandMessage[] = []
  const welcomes: Welcome[] = []
  const unreadable: UnreadableCommand[] = []
  const floors: number[] = []
  const learned: string[][] = []
  const logger = recordingLogger()
  const client = new SessionClient({
    identity: () => identity,
    addresses,
    logger,
    hello: () => hello({ epoch: welcomes.at(-1)?.epoch ?? 0 }),
    onWelcome: (welcome) => void welcomes.push(welcome),
    onCommand: (one) => void commands.push(one),
    onUnreadable: (one) => void unreadable.push(one),
    onFloor: (floor) => void floors.push(floor),
    onLearned: (all) => void learned.push([...all]),
    inventory: () => [],
    backoff: { baseMs: 10, maxMs: 80 },
    timing: { dialMs: 300, callMs: 500 },
    ...overrides,
  })
  clients.push(client)
  client.start()
  return { client, commands, unreadable, welcomes, floors, learned, logger }
}

afterEach(async () => {
  for (const engine of engines) engine.frozen = false
  await Promise.all(clients.splice(0).map((client) => client.stop('stopping')))
  await Promise.all(engines.splice(0).map((engine) => engine.stop()))
})

const nobody = { host: '127.0.0.1', port: 1 }

describe('a session', () => {
  it('opens with a hello, is welcomed, sends its inventory and then gets commands and floors', async () => {
    const engine = await startEngine()
    const item: InventoryItem = {
      subject: storageSubject('c1'),
      generation: 2,
      status: 'UP',
      origin: 'plane',
      digest: 'd',
    }
    const agent = startClient([engine.address], { inventory: () => [item] })
    await eventually(() => expect(engine.session.ready).toBe(true))
    expect(engine.session.inventory).toMatchObject([item])
    await eventually(() => expect(agent.client.status).toMatchObject({ state: 'connected', epoch: 1 }))
    const sent = command()
    engine.command(sent)
    engine.send({ type: 'floor', floor: 7 })
    await eventually(() => expect(agent.commands).toMatchObject([{ id: sent.id, payload: sent.payload, epoch: 1 }]))
    await eventually(() => expect(agent.floors).toEqual([7]))
  })

  it('sends an inventory that is larger than a frame in pages, in order', async () => {
    const engine = await startEngine()
    const items: InventoryItem[] = Array.from({ length: 4000 }, (_, i) => ({
      subject: storageSubject(`connection-${i}`),
      generation: 1,
      status: 'UP',
      origin: 'plane',
      digest: 'd'.repeat(32),
      detail: { uri: `local:///${'x'.repeat(500)}` },
    }))
    startClient([engine.address], { inventory: () => items })
    await eventually(() => expect(engine.session.ready).toBe(true))
    expect(engine.session.pages).toBeGreaterThan(3)
    expect(engine.session.inventory.map(({ subject }) => subject)).toEqual(items.map(({ subject }) => subject))
  })

  it('asks for permits, reports and observes over the same connection', async () => {
    const engine = await startEngine()
    const { client } = startClient([engine.address])
    const session = await eventually(() => {
      expect(client.current.session).not.toBeNull()
      return client.current.session!
    })
    const id = command().id
    engine.permit = () => ({ granted: false, reason: 'ended' })
    expect(await session.permit(id)).toEqual({ granted: false, reason: 'ended' })
    expect(await session.report([{ commandId: id, seq: 1, state: 'succeeded' }])).toEqual([id])
    await session.observe([{ subject: storageSubject('c1'), generation: 1, status: 'UP', fault: null }])
    expect(engine.observations).toHaveLength(1)
  })

  it('says farewell when it is stopped', async () => {
    const engine = await startEngine()
    const { client } = startClient([engine.address])
    await eventually(() => expect(engine.session.ready).toBe(true))
    await client.stop('leaving')
    expect(engine.session.closed).toBe('leaving')
    await eventually(() => expect(engine.session.socket.destroyed).toBe(true))
    expect(client.status.state).toBe('stopped')
  })

  it('sends heartbeats', async () => {
    const engine = await startEngine()
    startClient([engine.address])
    await eventually(() => expect(engine.heartbeats).toBeGreaterThan(3))
    expect(engine.sessions).toHaveLength(1)
  })

  it('ignores what it does not know, and a command that is not valid, and goes on', async () => {
    const engine = await startEngine()
    const agent = startClient([engine.address])
    await eventually(() => expect(engine.session.ready).toBe(true))
    // Not of the wire's types, on purpose.
    const stream = engine.session.stream as unknown as { next(message: unknown): void }
    for (const odd of [{ type: 'news' }, null, 7, { type: 'command', id: 'x' }, { type: 'floor', floor: 'high' }])
      stream.next(odd)
    const good = command()
    engine.command(good)
    await eventually(() => expect(agent.commands.map(({ id }) => id)).toEqual([good.id]))
    expect(agent.unreadable).toEqual([])
    expect(engine.sessions).toHaveLength(1)
  })

  it('names a command that it cannot read, where that says which one it is', async () => {
    const engine = await startEngine()
    const agent = startClient([engine.address])
    await eventually(() => expect(engine.session.ready).toBe(true))
    const [unreadable, { id, seq }, good] = [command({ subject: 'no subject' }), command(), command()]
    const stream = engine.session.stream as unknown as { next(message: unknown): void }
    for (const odd of [{ id: 'x', seq }, { id, seq: 0 }, { id, seq: 1.5 }, { id, seq: '7' }, { id }, { seq }])
      stream.next({ ...unreadable, id: undefined, seq: undefined, ...odd })
    engine.command(unreadable)
    engine.command(good)
    await eventually(() => expect(agent.commands.map((one) => one.id)).toEqual([good.id]))
    expect(agent.unreadable).toEqual([{ id: unreadable.id, seq: unreadable.seq }])
    expect(engine.sessions).toHaveLength(1)
  })
})

describe('when a session is lost', () => {
  it('another one is opened, with the epoch that was seen', async () => {
    const engine = await startEngine()
    const { client } = startClient([engine.address])
    await eventually(() => expect(engine.session.ready).toBe(true))
    engine.dropConnections()
    await eventually(() => expect(engine.sessions.filter(({ ready }) => ready)).toHaveLength(2))
    expect(engine.hellos[1]?.epoch).toBe(1)
    await eventually(() => expect(client.status).toMatchObject({ state: 'connected', epoch: 2 }))
  })

  it('nobody is told that there is one', async () => {
    const engine = await startEngine()
    const { client } = startClient([engine.address])
    await eventually(() => expect(client.current.session).not.toBeNull())
    const session = client.current.session!
    engine.refusal = { refused: true, code: 'unavailable', message: 'not now' }
    engine.dropConnections()
    await eventually(() => expect(client.current.session).toBeNull())
    await expect(session.report([])).rejects.toThrow('closed')
  })

  it('by silence, the agent dials anew', async () => {
    const engine = await startEngine()
    const { client } = startClient([engine.address])
    await eventually(() => expect(engine.session.ready).toBe(true))
    engine.frozen = true
    await eventually(() => expect(client.status.lastEnd).toMatch(/^silent: nothing was heard for/))
    engine.frozen = false
    await eventually(() => expect(client.status).toMatchObject({ state: 'connected' }))
  })

  it('another address is tried at once, and every one that a welcome told of', async () => {
    const [first, second] = [await startEngine(), await startEngine()]
    first.welcome = { addresses: [`127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`] }
    const slow = { baseMs: 20_000, maxMs: 20_000 }
    const { client, learned } = startClient([first.address], { backoff: slow, random: () => 0 })
    await eventually(() => expect(first.session.ready).toBe(true))
    expect(learned.at(-1)).toEqual([`127.0.0.1:${first.port}`, `127.0.0.1:${second.port}`])
    first.dropConnections()
    await eventually(() => expect(second.sessions).toHaveLength(1))
    await eventually(() => expect(client.status.address).toBe(`127.0.0.1:${second.port}`))
  })

  it('by an engine that drains, another one is dialled at once', async () => {
    const [first, second] = [await startEngine(), await startEngine()]
    const { client } = startClient([first.address, second.address], {
      backoff: { baseMs: 20_000, maxMs: 20_000 },
      random: () => 0,
    })
    await eventually(() => expect(first.session.ready).toBe(true))
    first.send({ type: 'goodbye', reason: 'draining' })
    await eventually(() => expect(second.sessions).toHaveLength(1))
    expect(client.status.lastEnd).toBe('draining')
  })
})

describe('dialling', () => {
  it('comes to an address that answers, past those that refuse and those that hang', async () => {
    const hanging = createServer().listen(0, '127.0.0.1')
    await once(hanging, 'listening')
    const sockets: Socket[] = []
    hanging.on('connection', (socket) => sockets.push(socket))
    const address = hanging.address() as { port: number }
    const engine = await startEngine()
    startClient([nobody, { host: '127.0.0.1', port: address.port }, engine.address])
    await eventually(() => expect(engine.sessions).toHaveLength(1))
    for (const socket of sockets) socket.destroy()
    hanging.close()
  })

  it('uses addresses that were learned in an earlier life', async () => {
    const engine = await startEngine()
    startClient([nobody], { learned: [`127.0.0.1:${engine.port}`, 'nonsense', '127.0.0.1:99999'] })
    await eventually(() => expect(engine.sessions).toHaveLength(1))
  })

  it('gives up an address that it learned when no session comes of it and the last welcome does not name it', async () => {
    const [engine, gone] = [await startEngine(), '127.0.0.1:1']
    const here = `127.0.0.1:${engine.port}`
    engine.welcome = { addresses: [here] }
    const { learned } = startClient([engine.address], { learned: [gone] })
    await eventually(() => expect(engine.session.ready).toBe(true))
    expect(learned).toEqual([[here, gone]])
    engine.refusal = { refused: true, code: 'unavailable', message: 'not now' }
    engine.dropConnections()
    await eventually(() => expect(learned.at(-1)).toEqual([here]))
    engine.refusal = null
    await eventually(() => expect(engine.sessions.length).toBeGreaterThan(1))
  })

  it('survives an engine that speaks garbage', async () => {
    const garbage = ['hello?\n', '5#ab', '99999999999#{}', '10#{"a":', '3#nul', `7#${'\u0000'.repeat(7)}`]
    let connections = 0
    const server = createServer((socket) => {
      socket.on('error', () => undefined)
      socket.write(garbage[connections % garbage.length]!)
      connections += 1
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as { port: number }
    const { client } = startClient([{ host: '127.0.0.1', port }], { timing: { dialMs: 100, callMs: 50 } })
    await eventually(() => expect(connections).toBeGreaterThan(garbage.length))
    await client.stop('stopping')
    server.close()
  })

  it('goes on after every kind of refusal, and names it', async () => {
    const engine = await startEngine()
    engine.refusal = { refused: true, code: 'removed', message: 'this host was removed from the plane' }
    const { client, logger } = startClient([engine.address])
    await eventually(() => expect(client.status.lastEnd).toBe('refused: removed: this host was removed from the plane'))
    expect(logger.lines).toContainEqual(expect.objectContaining({ level: 'error' }))
    engine.refusal = null
    await eventually(() => expect(client.status.state).toBe('connected'))
  })

  it('does not take an epoch that is not above the one it has seen', async () => {
    const engine = await startEngine()
    engine.welcome = { epoch: 3 }
    const { client } = startClient([engine.address], { hello: () => hello({ epoch: 3 }) })
    await eventually(() => expect(client.status.lastEnd).toMatch(/^stale/))
    expect(engine.sessions.every(({ pages }) => pages === 0)).toBe(true)
  })

  it.each(['removed', 'refused'] as const)('waits longest after it was %s', async (reason) => {
    const engine = await startEngine()
    const { client, logger } = startClient([engine.address], { backoff: { baseMs: 1, maxMs: 30_000 }, random: () => 1 })
    await eventually(() => expect(engine.session.ready).toBe(true))
    engine.send({ type: 'goodbye', reason, detail: 'by an administrator' })
    await eventually(() =>
      expect(client.status).toMatchObject({ state: 'waiting', lastEnd: `${reason}: by an administrator` }),
    )
    expect(logger.lines).toContainEqual(
      expect.objectContaining({ fields: expect.objectContaining({ delayMs: 30_000 }) }),
    )
  })

  it('never holds two sessions at a time, however often they break', async () => {
    const engine = await startEngine()
    startClient([engine.address])
    for (let round = 1; round <= 10; round += 1) {
      await eventually(() => expect(engine.sessions.filter(({ socket }) => !socket.destroyed)).toHaveLength(1))
      await eventually(() => expect(engine.sessions.length).toBeGreaterThanOrEqual(round))
      engine.dropConnections()
    }
    const open = engine.sessions.filter(({ socket }) => !socket.destroyed)
    expect(open.length).toBeLessThanOrEqual(1)
  })
})
