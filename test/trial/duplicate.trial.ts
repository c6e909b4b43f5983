import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { type CommandKind, storageSubject } from '../../src/wire/commands.js'
import type { CommandMessage, Report } from '../../src/wire/session.js'
import { FakeEngine } from '../agent/support/fake-engine.js'
import { testAuthority } from '../support/authority.js'
import { eventually } from '../support/eventually.js'
import { UnmountWitness } from './support/effects.js'
import { Figures } from './support/figures.js'
import { Ground } from './support/ground.js'
import { RealHost } from './support/real-host.js'
import { Chance, scaled } from './support/scale.js'

const DUPLICATES = scaled(500, 60)
const CONNECTIONS = 5
const isRoot = process.getuid?.() === 0
const chance = new Chance('duplicate')
const figures = new Figures('Duplicates of forgotten commands')
const ground = new Ground()
const witness = new UnmountWitness(ground)
/** All that was ever carried out, recorded and forgotten. */
const history: CommandMessage[] = []
let engine: FakeEngine
let host: RealHost
let seq = 0

beforeAll(async () => {
  engine = await FakeEngine.start()
  engine.welcome = { heartbeatMs: 1_000, silenceMs: 10_000 }
  host = new RealHost(ground, { tcpAddress: `127.0.0.1:${engine.port}` }, 'duplicated', { PATH: witness.path })
  await host.is(await (await testAuthority()).identityOf('duplicated'))
  host.start()
  await session()
})

afterAll(async () => {
  figures.print()
  await host?.stop()
  await engine?.stop()
  ground.clear()
})

/** The n-th session, or a later one, with its inventory told. */
async function session(count = 1): Promise<void> {
  await eventually(
    () => {
      expect(engine.sessions.length).toBeGreaterThanOrEqual(count)
      expect(engine.session.ready).toBe(true)
    },
    { timeoutMs: 30_000 },
  )
}

function commandOf(kind: CommandKind, connectionId: string, generation: number): CommandMessage {
  const path = ground.makeDirectory('srv', connectionId)
  const uri = isRoot ? `posix://${path}?fstype=bind` : `local://${path}`
  const payload = kind === 'storage.manage' ? { connectionId, uri, options: {} } : { connectionId }
  seq += 1
  const subject = storageSubject(connectionId)
  const how = { epoch: 1, remainingMs: null, permitted: false, requestId: null }
  return { type: 'command', id: randomUUID(), seq, kind, subject, generation, payload, ...how }
}

/** To its recorded end: the journal has forgotten it then. */
async function carryOut(command: CommandMessage): Promise<Report> {
  engine.command(command)
  const report = await eventually(
    () => {
      const found = engine.reports.find(({ commandId }) => commandId === command.id)
      if (!found) throw new Error(`${command.kind} was not reported`)
      return found
    },
    { timeoutMs: 20_000 },
  )
  history.push(command)
  return report
}

const heldNow = async () => {
  const { holds, journal } = await host.status()
  const connections = holds.connections.map(({ connectionId, generation }) => `${connectionId} ${generation}`).sort()
  return { connections, leaving: holds.leaving, mounts: host.mounts(), entries: journal.entries }
}

it('carries out manage, reset and unmanage once each, and forgets them', async () => {
  for (let n = 0; n < CONNECTIONS; n += 1) {
    expect(await carryOut(commandOf('storage.manage', `gone-${n}`, 1))).toMatchObject({ state: 'succeeded' })
    expect(await carryOut(commandOf('storage.manage', `kept-${n}`, 1))).toMatchObject({ state: 'succeeded' })
    // a reset waits for the target by itself
    for (const id of [`gone-${n}`, `kept-${n}`]) {
      expect(await carryOut(commandOf('storage.reset', id, 1))).toMatchObject({ state: 'succeeded' })
    }
    expect(await carryOut(commandOf('storage.unmanage', `gone-${n}`, 2))).toMatchObject({ state: 'succeeded' })
  }
  await eventually(
    async () => {
      const { connections, leaving, mounts, entries } = await heldNow()
      expect(connections).toHaveLength(CONNECTIONS)
      expect(leaving).toEqual([])
      expect(mounts).toHaveLength(isRoot ? CONNECTIONS : 0)
      expect(entries).toEqual({ received: 0, started: 0, done: 0 })
    },
    { timeoutMs: 30_000, intervalMs: 250 },
  )
})

it('does nothing for duplicates of them, over restarts and new sessions, with permits or without', async () => {
  const before = await heldNow()
  const effects = witness.effects().length
  engine.reports.length = 0
  let sent = 0
  while (sent < DUPLICATES) {
    const change = chance.pick(['none', 'none', 'kill', 'drop', 'floor'] as const)
    const sessions = engine.sessions.length
    if (change === 'floor') engine.send({ type: 'floor', floor: chance.between(0, seq) })
    if (change === 'drop') engine.dropConnections()
    if (change === 'kill') {
      await host.kill()
      host.start()
    }
    if (change === 'drop' || change === 'kill') await session(sessions + 1)
    for (let burst = 0; burst < 20; burst += 1, sent += 1) {
      const old = chance.pick(history)
      engine.command({ ...old, id: chance.pick([old.id, randomUUID()]), permitted: chance.next() < 0.3 })
    }
  }
  await eventually(
    () => {
      const states = new Set(engine.reports.map(({ state, fault }) => `${state} ${fault?.type}`))
      expect([...states].filter((state) => state.startsWith('succeeded'))).toEqual([])
      expect(engine.reports.length).toBeGreaterThan(0)
    },
    { timeoutMs: 20_000 },
  )
  await pause(1_000)
  expect(witness.effects()).toHaveLength(effects)
  expect(await heldNow()).toEqual(before)
  figures.add('duplicates sent', sent)
  figures.add('sessions', engine.sessions.length)
  const counts = new Map<string, number>()
  for (const { state, fault } of engine.reports) {
    const key = `${state}: ${fault?.type}`
    counts.set(key, (counts.get(key) ?? 0) + 1)
  }
  for (const [answer, count] of counts) figures.add(`  answered ${answer}`, count)
})

it('drops commands of a fenced session without a word', async () => {
  const before = await heldNow()
  const sessions = engine.sessions.length
  // epochs begin at 1: whatever chance did before, there is a session to be fenced
  engine.dropConnections()
  await session(sessions + 1)
  engine.reports.length = 0
  const fenced = commandOf('storage.manage', 'fenced', 1)
  engine.send({ ...fenced, epoch: engine.session.epoch - 1 })
  const next = await carryOut(commandOf('storage.manage', 'kept-0', 3))
  expect(next).toMatchObject({ state: 'succeeded' })
  expect(engine.reports.map(({ commandId }) => commandId)).not.toContain(fenced.id)
  expect((await heldNow()).connections).not.toContain('fenced 1')
  expect((await heldNow()).mounts).toEqual(before.mounts)
})
