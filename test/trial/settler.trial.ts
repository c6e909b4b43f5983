import { eventually } from '../support/eventually.js'
import { withClient } from './support/ends-audit.js'
import { Figures } from './support/figures.js'
import { Ground } from './support/ground.js'
import { OutsidePostgres } from './support/outside-postgres.js'
import { Plane } from './support/plane.js'
import type { Body } from './support/rest.js'
import { scaled } from './support/scale.js'
import { Simulation } from './support/simulation.js'

const PER_HOST = scaled(50, 5)
const HOSTS = 4
/** The sweep over rows whose command has ended looks every 30 s at those that are older than 30 s. */
const SWEEP_MS = 100_000
const kinds = ['sound', 'poisoned', 'hopeless'] as const
const figures = new Figures('Settlers that throw')
const ground = new Ground()
let postgres: OutsidePostgres
let plane: Plane
let simulation: Simulation
let hosts: Body[]

beforeAll(async () => {
  postgres = await OutsidePostgres.create(ground, 'postgres')
  plane = await Plane.start(ground, { databaseUrl: postgres.url })
  simulation = new Simulation(ground, plane, HOSTS)
  hosts = await simulation.hostsUp(plane)
  // a row that is poisoned takes no success, one that is hopeless not even the mark of an error
  await sql(`CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF NEW.connection_id LIKE 'poisoned%' AND NEW.provisioning_status = 'ACTIVE'
        OR NEW.connection_id LIKE 'hopeless%' AND NEW.provisioning_status IN ('ACTIVE', 'ERROR')
      THEN RAISE EXCEPTION 'poisoned by the trial'; END IF; RETURN NEW; END $$`)
  await sql('CREATE TRIGGER poison BEFORE UPDATE ON storage_connections FOR EACH ROW EXECUTE FUNCTION poison()')
  await Promise.all(hosts.map(putAll))
})

afterAll(async () => {
  figures.print()
  await simulation?.stop()
  await plane?.stop()
  await postgres?.stop()
  ground.clear()
})

const sql = (statement: string) => withClient(postgres.url, (client) => client.query(statement))

async function putAll({ id }: Body): Promise<void> {
  for (let n = 0; n < PER_HOST; n += 1) {
    for (const kind of kinds)
      expect((await plane.put(id, `${kind}-${n}`, `local:///srv/${kind}-${n}`)).status).toBe(202)
  }
}

async function rows(): Promise<Body[]> {
  return (await Promise.all(hosts.map(({ id }) => plane.rest.all(`/api/v1/hosts/${id}/storage-connections`)))).flat()
}

const statusesOf = (all: readonly Body[], kind: string): string[] => [
  ...new Set(
    all.filter(({ connectionId }) => connectionId.startsWith(kind)).map(({ provisioningStatus }) => provisioningStatus),
  ),
]

it('ends every command, with the reason where its result could not be recorded as usual', async () => {
  await eventually(
    async () => {
      const commands = await plane.rest.all('/api/v1/commands')
      expect(commands.filter(({ finishedAt }) => finishedAt === null)).toEqual([])
      const unsettled = commands.filter(({ settleError }) => settleError !== null)
      expect(unsettled.length).toBe(2 * HOSTS * PER_HOST)
      expect(unsettled.every(({ settleError }) => settleError.includes('poisoned by the trial'))).toBe(true)
      figures.add('commands', commands.length)
      figures.add('of which a settler threw', unsettled.length)
    },
    { timeoutMs: 60_000, intervalMs: 500 },
  )
})

it('costs nobody else anything, and shows the poisoned rows as errors', async () => {
  const all = await rows()
  expect(statusesOf(all, 'sound')).toEqual(['ACTIVE'])
  expect(statusesOf(all, 'poisoned')).toEqual(['ERROR'])
  expect(all.find(({ connectionId }) => connectionId === 'poisoned-0').fault).toMatchObject({ type: 'unsettled' })
})

it('acknowledges each report, so that none is repeated for ever', async () => {
  await eventually(
    () => {
      const reported = new Set(
        simulation
          .lines()
          .filter(({ step }) => step === 'reported')
          .map(({ commandId }) => commandId),
      )
      expect(reported.size).toBe(kinds.length * HOSTS * PER_HOST)
    },
    { timeoutMs: 30_000, intervalMs: 250 },
  )
})

it('frees rows that not even the fallback could mark, once the database lets it', async () => {
  expect(statusesOf(await rows(), 'hopeless')).toEqual(['PENDING_CREATE'])
  await sql('DROP TRIGGER poison ON storage_connections')
  const startedMs = performance.now()
  await eventually(async () => expect(statusesOf(await rows(), 'hopeless')).not.toContain('PENDING_CREATE'), {
    timeoutMs: SWEEP_MS,
    intervalMs: 1_000,
  })
  figures.add('hopeless rows were freed after', `${Math.round(performance.now() - startedMs)} ms`)
})

it('takes each up again when it is asked for once more', async () => {
  for (const { id } of hosts) {
    for (const kind of ['poisoned', 'hopeless']) {
      expect((await plane.put(id, `${kind}-0`, `local:///srv/${kind}-0`)).status).toBe(202)
      await plane.connection(id, `${kind}-0`, { provisioningStatus: 'ACTIVE', fault: null })
    }
  }
})
