import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { mountPointName } from '../../src/agent/storage/mount-point.js'
import { parseStorageUri, type StorageUri } from '../../src/wire/storage/uri.js'
import { eventually } from '../support/eventually.js'
import { UnmountWitness } from './support/effects.js'
import { auditEnds, auditedEnds } from './support/ends-audit.js'
import { Figures, inMs } from './support/figures.js'
import { Ground } from './support/ground.js'
import { Plane } from './support/plane.js'
import { RealHost } from './support/real-host.js'
import type { Body } from './support/rest.js'
import { Chance, scaled } from './support/scale.js'
import { StorageLoad } from './support/storage-load.js'

const MOMENTS = scaled(50, 6)
/** Of which a quarter is refused by design: 20 commands a second are accepted while an engine is there. */
const REQUESTS_PER_SECOND = 27
const CALM_MS = 180_000
const victims = ['engine', 'agent', 'both', 'engine and Postgres'] as const
const unfinished = 'state=queued&state=dispatched&state=running'

const chance = new Chance('kill')
const figures = new Figures('kill -9 at random moments')
const ground = new Ground()
const witness = new UnmountWitness(ground)
const ends = new Map<string, string[]>()
let plane: Plane
let host: RealHost
let hostId: string
let load: StorageLoad
let commands: Body[]
let rows: Body[]

beforeAll(async () => {
  plane = await Plane.start(ground)
  await auditEnds(plane.embedded().url)
  host = new RealHost(ground, plane, 'victim', { PATH: witness.path })
  host.start()
  hostId = (await plane.hostUp('victim')).id
  load = new StorageLoad(ground, plane, hostId, chance)
  await load.prepare()
  load.start(REQUESTS_PER_SECOND)
  await killAndKill()
  await load.stop()
  await calm()
  commands = await plane.rest.all('/api/v1/commands')
  rows = await plane.rest.all(`/api/v1/hosts/${hostId}/storage-connections`)
  for (const { id, state } of await auditedEnds(plane.embedded().url)) ends.set(id, [...(ends.get(id) ?? []), state])
})

afterAll(async () => {
  report()
  await host?.stop()
  await plane?.stop()
  ground.clear()
})

async function killAndKill(): Promise<void> {
  const backMs: number[] = []
  for (let moment = 0; moment < MOMENTS; moment += 1) {
    await pause(chance.between(200, 2500))
    // the first ones in turn, so that a short run meets each
    const victim = victims[moment] ?? chance.pick(victims)
    const startedMs = performance.now()
    await kill(victim)
    await pause(chance.between(0, 500))
    if (!host.running) host.start()
    if (!plane.running) await plane.start()
    await plane.hostUp('victim')
    backMs.push(performance.now() - startedMs)
  }
  figures.add('killed', `${MOMENTS} times`)
  figures.add('back in service after', inMs(backMs))
}

async function kill(victim: (typeof victims)[number]): Promise<void> {
  if (victim === 'engine and Postgres') process.kill(plane.embedded().pid, 'SIGKILL')
  await Promise.all([
    victim === 'agent' ? Promise.resolve() : plane.kill(),
    victim === 'agent' || victim === 'both' ? host.kill() : Promise.resolve(),
  ])
}

/** What is queued has ended, and the host has done what it said. */
async function calm(): Promise<void> {
  const startedMs = performance.now()
  await eventually(
    async () => {
      const { body } = await plane.rest.get(`/api/v1/commands?${unfinished}&limit=5`)
      expect(body.items).toEqual([])
    },
    { timeoutMs: CALM_MS, intervalMs: 200 },
  )
  figures.add('everything had ended after', `${Math.round(performance.now() - startedMs)} ms`)
}

function report(): void {
  const states = new Map<string, number>()
  for (const { state, fault } of commands ?? []) {
    const key = fault ? `${state}: ${fault.type}` : state
    states.set(key, (states.get(key) ?? 0) + 1)
  }
  figures.add('commands accepted', load?.accepted.size ?? 0)
  figures.add('commands in the list', commands?.length ?? 0)
  for (const [state, count] of states) figures.add(`  ${state}`, count)
  figures.add(
    'requests by status',
    [...(load?.statuses ?? [])].map(([status, n]) => `${status || 'none'}: ${n}`).join(', '),
  )
  figures.add('connections at the end', rows?.length ?? 0)
  figures.add('umounts that took place', witness.effects().length)
  figures.print()
}

describe('kill -9 of engine, agent and Postgres under load', () => {
  it('ends every accepted command', () => {
    const listed = new Map(commands.map((command) => [command.id, command]))
    expect([...load.accepted].filter((id) => !listed.has(id))).toEqual([])
    expect(commands.filter(({ finishedAt }) => finishedAt === null)).toEqual([])
  })

  it('ends each command once', () => {
    expect([...ends].filter(([, states]) => states.length > 1)).toEqual([])
    const endedAtOnce = commands.filter(({ id }) => !ends.has(id))
    expect(endedAtOnce).toEqual([])
  })

  it('resets once for each reset that succeeded, and at most once for one that was interrupted', () => {
    const effects = witness.effects()
    for (const [index, id] of load.steady.ids.entries()) {
      const uri = parseStorageUri(load.steady.uris[index] ?? '')
      const mountPoint = mountPointOf(uri)
      const unmounted = effects.filter((effect) => effect.mountPoint === mountPoint).map(({ at }) => at)
      const resets = commands.filter(({ kind, subject }) => kind === 'storage.reset' && subject.endsWith(`/${id}`))
      const within = resets.map(({ createdAt, finishedAt, state }) => ({
        state,
        times: unmounted.filter((at) => at >= Date.parse(createdAt) && at <= Date.parse(finishedAt) + 1).length,
      }))
      expect(within.filter(({ state, times }) => times > 1 || (state === 'succeeded' && times !== 1))).toEqual([])
      expect(within.reduce((sum, { times }) => sum + times, 0)).toBe(unmounted.length)
    }
  })

  it('leaves nothing pending', () => {
    expect(rows.filter(({ provisioningStatus }) => provisioningStatus !== 'ACTIVE')).toEqual([])
  })

  it('leaves the host with what the database says, in the words of its agent and of its kernel', async () => {
    await eventually(
      async () => {
        const { holds } = await host.status()
        const held = holds.connections.map(({ connectionId, generation, status }) => ({
          connectionId,
          generation,
          status,
        }))
        const wanted = rows.map(({ connectionId, generation }) => ({ connectionId, generation, status: 'UP' }))
        expect(held.sort(byId)).toEqual(wanted.sort(byId))
        expect(holds.leaving).toEqual([])
        expect(host.mounts()).toEqual(mountPointsOf(rows))
      },
      { timeoutMs: CALM_MS, intervalMs: 500 },
    )
  })
})

const mountPointOf = (uri: StorageUri): string =>
  uri.scheme === 'posix' ? join(host.stateDir, 'mnt', 'posix', uri.fsType, mountPointName(uri.path)) : ''

const byId = (a: { connectionId: string }, b: { connectionId: string }) => (a.connectionId < b.connectionId ? -1 : 1)

/** Where the database's connections must be mounted, once each. */
function mountPointsOf(connections: readonly Body[]): string[] {
  const uris = connections.map(({ uri }) => parseStorageUri(uri)).filter(({ scheme }) => scheme === 'posix')
  return [...new Set(uris.map(mountPointOf))].sort()
}
