import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from '../support/eventually.js'
import { UnmountWitness } from './support/effects.js'
import { withClient } from './support/ends-audit.js'
import { Figures } from './support/figures.js'
import { Ground } from './support/ground.js'
import { Plane } from './support/plane.js'
import { RealHost } from './support/real-host.js'
import type { Body } from './support/rest.js'
import { scaled } from './support/scale.js'

const ROUNDS = scaled(5, 1)
/** Instead of the two minutes that a reset has. */
const DEADLINE_SECONDS = 3
/** Longer than the deadline; in the full trial longer than a host may be silent, too. */
const SUSPENDED_MS = scaled(20_000, 5_000)
const ACTIVE = { provisioningStatus: 'ACTIVE', operatingStatus: 'UP' }
const isRoot = process.getuid?.() === 0
const figures = new Figures('An agent, or an engine, that is suspended')
const ground = new Ground()
const witness = new UnmountWitness(ground)
let plane: Plane
let host: RealHost
let hostId: string

beforeAll(async () => {
  plane = await Plane.start(ground)
  await withClient(plane.embedded().url, (client) =>
    client.query(`CREATE FUNCTION soon() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.deadline_at IS NOT NULL THEN NEW.deadline_at := now() + interval '${DEADLINE_SECONDS} seconds'; END IF;
        RETURN NEW; END $$;
      CREATE TRIGGER soon BEFORE INSERT ON commands FOR EACH ROW EXECUTE FUNCTION soon()`),
  )
  host = new RealHost(ground, plane, 'suspended', { PATH: witness.path })
  host.start()
  hostId = (await plane.hostUp('suspended')).id
  const path = ground.makeDirectory('srv')
  await plane.put(hostId, 'one', isRoot ? `posix://${path}?fstype=bind` : `local://${path}`)
  await plane.connection(hostId, 'one', ACTIVE)
})

afterAll(async () => {
  figures.print()
  host?.signal('SIGCONT')
  plane?.signal('SIGCONT')
  await host?.stop()
  await plane?.stop()
  ground.clear()
})

const reset = async (): Promise<string> => {
  const { status, body } = await plane.rest.send('POST', `/api/v1/hosts/${hostId}/storage-connections/one/reset`)
  expect(status).toBe(202)
  return body.commandId
}

const ended = (id: string, expected: object): Promise<Body> =>
  eventually(
    async () => {
      const { body } = await plane.rest.get(`/api/v1/commands/${id}`)
      expect(body).toMatchObject(expected)
      return body
    },
    { timeoutMs: 60_000, intervalMs: 100 },
  )

/** One whose few seconds passed on the way, over a session that was lost meanwhile, is asked for again. */
async function resetInTime(): Promise<void> {
  for (let attempt = 0; attempt < 5; attempt += 1) {
    const { state } = await ended(await reset(), { finishedAt: expect.any(String) })
    if (state === 'succeeded') return
    await plane.connection(hostId, 'one', { provisioningStatus: 'ACTIVE' })
  }
  throw new Error('no reset was carried out in its time')
}

describe('an agent that is suspended for longer than a deadline', () => {
  it('runs nothing late that expired meanwhile, and its row has a way out', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const effects = witness.effects().length
      host.signal('SIGSTOP')
      const id = await reset()
      await pause(SUSPENDED_MS)
      await ended(id, { state: 'expired' })
      await plane.connection(hostId, 'one', { provisioningStatus: 'ACTIVE' })
      host.signal('SIGCONT')
      await plane.hostUp('suspended')
      // what it is told afterwards is done, and only that
      await ended(await reset(), { state: 'succeeded' })
      expect(witness.effects()).toHaveLength(effects + (isRoot ? 1 : 0))
      await ended(id, { state: 'expired', late: false })
    }
    figures.add('agent suspended', `${ROUNDS} times for ${SUSPENDED_MS} ms, each with a reset of ${DEADLINE_SECONDS} s`)
  })

  it('does not heal, nor repeat, what was begun before and ended after the deadline', async () => {
    if (!isRoot) return
    const effects = witness.effects().length
    const id = await reset()
    await eventually(() => expect(witness.effects().length).toBe(effects + 1), { timeoutMs: 10_000, intervalMs: 1 })
    host.signal('SIGSTOP')
    await pause(SUSPENDED_MS)
    const { state } = (await plane.rest.get(`/api/v1/commands/${id}`)).body
    host.signal('SIGCONT')
    await plane.hostUp('suspended')
    await plane.connection(hostId, 'one', ACTIVE, 60_000)
    expect(witness.effects()).toHaveLength(effects + 1)
    await ended(id, { state })
    figures.add('a reset that was begun ended', state)
  })
})

describe('an engine that is suspended', () => {
  it('does no harm when it wakes up, and its hosts come back', async () => {
    for (let round = 0; round < ROUNDS; round += 1) {
      const { epoch } = await host.status()
      plane.signal('SIGSTOP')
      await pause(SUSPENDED_MS)
      plane.signal('SIGCONT')
      const startedMs = performance.now()
      await plane.hostUp('suspended')
      await resetInTime()
      figures.add('engine suspended: in service after', `${Math.round(performance.now() - startedMs)} ms`)
      expect((await host.status()).epoch).toBeGreaterThanOrEqual(epoch)
      await plane.connection(hostId, 'one', { provisioningStatus: 'ACTIVE' })
    }
  })
})
