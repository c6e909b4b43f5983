import 'reflect-metadata'
import { randomUUID } from 'node:crypto'
import { GuestKeeper } from '../../src/agent/guests/keeper.js'
import { GuestState } from '../../src/agent/guests/state.js'
import { silentLogger } from '../../src/agent/logger.js'
import { SimulatedDisks } from '../../src/simulate/guests/disks.js'
import { SimulatedHypervisor } from '../../src/simulate/guests/hypervisor.js'
import type { HostFaults } from '../../src/simulate/host-faults.js'
import type { GuestIntent } from '../../src/wire/guests/intent.js'
import type { RestartPolicy } from '../../src/wire/guests/terms.js'
import type { Observation } from '../../src/wire/session.js'
import { eventually } from '../support/eventually.js'

const quick = { firstMs: 5, mostMs: 20, goodMs: 60_000 }
const command = { generation: 1, signal: new AbortController().signal }
let keeper: GuestKeeper | null = null
afterEach(() => keeper?.stop())

/** A keeper of one guest that dies a moment after each of its first boots. */
async function start(restartPolicy: RestartPolicy, { dies, pace = quick }: { dies: number; pace?: typeof quick }) {
  let left = dies
  const strike = () => (left-- > 0 ? { how: 'dies', delayMs: 1, message: '' } : null)
  // all that a hypervisor asks of them
  const faults = { strike } as unknown as HostFaults
  const hypervisor = new SimulatedHypervisor(faults, new SimulatedDisks())
  const observations: Observation[] = []
  const state = GuestState.inMemory()
  keeper = new GuestKeeper({
    state,
    driver: hypervisor,
    storageStatus: () => 'UP',
    logger: silentLogger,
    onObservation: (observation) => observations.push(observation),
    observeIntervalMs: 5,
    restartPace: pace,
  })
  keeper.start()
  const guest = intent(restartPolicy)
  await keeper.apply({ guest }, command)
  const seen = () => observations.filter(({ subject }) => subject === `guest/${guest.id}`)
  return { keeper, guest, state, hypervisor, seen, last: () => seen().at(-1) }
}

describe('a guest that ends without being asked to', () => {
  it('is started again where it crashed, in another boot, and its starts are counted', async () => {
    const { guest, seen, last, state } = await start('on-crash', { dies: 3 })
    await eventually(() => expect(last()).toMatchObject({ status: 'RUNNING', detail: { restarts: 3 } }))
    const boots = seen().flatMap(({ detail }) => (detail as { bootId: string | null }).bootId ?? [])
    expect(new Set(boots).size).toBeGreaterThan(1)
    expect(state.guests.get(guest.id)?.restarts).toBe(3)
  })

  it('stays as it is where its policy says so', async () => {
    const { guest, last, keeper: kept, hypervisor } = await start('never', { dies: 1 })
    await eventually(() => expect(last()?.status).toBe('CRASHED'))
    // a second one is looked at as often
    const other = { ...guest, id: randomUUID(), restartPolicy: 'on-crash' as const }
    await kept.apply({ guest: other }, command)
    hypervisor.guest(other.id)?.crashNow()
    await eventually(() => expect(hypervisor.guest(other.id)?.see().status).toBe('RUNNING'))
    expect(last()).toMatchObject({ status: 'CRASHED', detail: { restarts: 0 } })
  })

  it('that went off by itself is started again where that is always so', async () => {
    const { guest, hypervisor, last } = await start('always', { dies: 0 })
    hypervisor.guest(guest.id)?.powerOff()
    await eventually(() => expect(last()).toMatchObject({ status: 'RUNNING', detail: { restarts: 1 } }))
  })

  it('waits longer each time', async () => {
    const { last } = await start('on-crash', { dies: 2, pace: { firstMs: 1, mostMs: 3_600_000, goodMs: 60_000 } })
    await eventually(() => expect(last()).toMatchObject({ status: 'RUNNING', detail: { restarts: 2 } }))
    await keeper?.stop()
    const far = await start('on-crash', { dies: 1, pace: { firstMs: 3_600_000, mostMs: 3_600_000, goodMs: 60_000 } })
    await eventually(() => expect(far.last()?.status).toBe('CRASHED'))
    expect(far.last()).toMatchObject({ detail: { restarts: 0 } })
  })

  it('is left alone once it was asked to stop', async () => {
    const { guest, keeper: kept, last } = await start('always', { dies: 0 })
    await kept.apply({ guest: { ...guest, power: 'STOPPED' } }, { ...command, generation: 2 })
    expect(last()).toMatchObject({ status: 'STOPPED', generation: 2, detail: { restarts: 0 } })
  })
})

const intent = (restartPolicy: RestartPolicy): GuestIntent => ({
  id: randomUUID(),
  name: 'web-1',
  vcpus: 1,
  memoryMiB: 64,
  disks: [],
  nics: [],
  kernel: null,
  seed: false,
  channel: true,
  power: 'RUNNING',
  stopGraceMs: 0,
  restartPolicy,
})
