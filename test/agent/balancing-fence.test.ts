import 'reflect-metadata'
import { sinceBootMs } from '../../src/agent/balancing/self-fence.js'
import { FaultError } from '../../src/agent/fault.js'
import { eventually } from '../support/eventually.js'
import {
  applyOf,
  at,
  balancerIntent,
  forever,
  inForce,
  type KeptBalancers,
  removeOf,
  ScriptedDevice,
  startBalancers,
} from './support/balancing.js'
import { temporaryDirectory } from './support/temporary.js'

const FENCE_MS = 1000

/** Time that passes when a test says so. */
class Clock {
  ms = 5_000_000
  readonly now = () => this.ms
}

const networked = () => balancerIntent({}, { bridge: 'br-public' })

async function start() {
  const [directory, device, clock] = [await temporaryDirectory(), new ScriptedDevice(), new Clock()]
  const live = (overrides: Parameters<typeof startBalancers>[2] = {}) =>
    startBalancers(directory, device, {
      now: clock.now,
      settings: { observeIntervalMs: 20, selfFenceMs: FENCE_MS },
      ...overrides,
    })
  const kept = await live()
  const balancer = networked()
  await kept.keeper.apply(applyOf(balancer), at(3))
  return { directory, device, clock, kept, balancer, live }
}

/** Has the keeper look at the clock as it is now. */
async function ticked(kept: KeptBalancers): Promise<void> {
  await eventually(() => expect(kept.state.mark?.heardMs).toBeDefined())
  const looks = 3
  for (let look = 0; look < looks; look += 1) await new Promise((resolve) => setTimeout(resolve, FENCE_MS / 8))
}

describe('a host without a session', () => {
  it('takes the VIPs of networks down when it has had none for the time that the plane has told', async () => {
    const { device, clock, kept, balancer } = await start()
    kept.plane.disconnect()
    clock.ms += FENCE_MS - 1
    await ticked(kept)
    expect(device.vips).toEqual(new Set([balancer.id]))
    clock.ms += 1
    await eventually(() => expect(device.vips.size).toBe(0))
    expect(device.has.size).toBe(1)
    expect(kept.keeper.held()).toMatchObject([{ withdrawn: true, status: 'OFFLINE', generation: 0 }])
  })

  it('keeps what has an address of the host itself', async () => {
    const { device, clock, kept, balancer } = await start()
    const own = balancerIntent()
    await kept.keeper.apply(applyOf(own), at(1))
    kept.plane.disconnect()
    clock.ms += FENCE_MS
    await eventually(() => expect(device.vips.size).toBe(0))
    const held = kept.keeper.held()
    expect(held.find(({ loadBalancerId }) => loadBalancerId === own.id)).toMatchObject({ withdrawn: false })
    expect(held.find(({ loadBalancerId }) => loadBalancerId === balancer.id)).toMatchObject({ withdrawn: true })
  })

  it('says in the next inventory that it is not confirmed, and brings it back when the plane says it again', async () => {
    const { device, clock, kept, balancer } = await start()
    kept.plane.disconnect()
    clock.ms += FENCE_MS
    await eventually(() => expect(device.vips.size).toBe(0))
    expect(await kept.keeper.inventory()).toMatchObject([
      { subject: `load-balancer/${balancer.id}`, generation: 0, digest: '', status: 'OFFLINE' },
    ])
    expect(kept.keeper.heldGeneration(`load-balancer/${balancer.id}`)).toBeUndefined()
    kept.plane.connect(2)
    await ticked(kept)
    expect(device.vips.size).toBe(0)
    await kept.keeper.apply(applyOf(balancer), at(4))
    expect(device.vips.size).toBe(1)
    expect(await kept.keeper.inventory()).toMatchObject([inForce(balancer, 4)])
    await eventually(() => expect(kept.observations.at(-1)).toMatchObject({ status: 'ONLINE', generation: 4 }))
  })

  it('brings back what was in force where the plane says it again in words that the device refuses', async () => {
    const { device, clock, kept, balancer } = await start()
    kept.plane.disconnect()
    clock.ms += FENCE_MS
    await eventually(() => expect(device.vips.size).toBe(0))
    kept.plane.connect(2)
    device.before.apply = () => {
      device.before.apply = () => undefined
      throw new FaultError('balancing.refused', 'no such cipher')
    }
    const refused = kept.keeper.apply(applyOf({ ...balancer, name: 'other' }), at(5))
    await expect(refused).rejects.toMatchObject({ type: 'balancing.refused' })
    await eventually(() => expect(device.vips).toEqual(new Set([balancer.id])))
    expect(device.has.get(balancer.id)?.generation).toBe(3)
    await eventually(() => expect(kept.keeper.held()).toMatchObject([{ withdrawn: false, generation: 3 }]))
  })

  it('lets go of what has moved meanwhile', async () => {
    const { device, clock, kept, balancer } = await start()
    kept.plane.disconnect()
    clock.ms += FENCE_MS
    await eventually(() => expect(device.vips.size).toBe(0))
    kept.plane.connect(2)
    expect(await kept.keeper.remove(removeOf(balancer), forever)).toEqual({ outcome: 'removed' })
    expect(device.has.size).toBe(0)
  })

  it('touches nothing when the session is back in time', async () => {
    const { device, clock, kept, balancer } = await start()
    kept.plane.disconnect()
    clock.ms += FENCE_MS - 1
    kept.plane.connect(2)
    clock.ms += FENCE_MS - 1
    await ticked(kept)
    expect(device.vips.size).toBe(1)
    expect(await kept.keeper.inventory()).toMatchObject([inForce(balancer, 3)])
  })

  it('tries again to take a VIP down that would not go', async () => {
    const directory = await temporaryDirectory()
    const [device, clock] = [new ScriptedDevice(), new Clock()]
    let refusals = 2
    const places = {
      ...device.places,
      takeDown: async (id: string) => {
        refusals -= 1
        if (refusals >= 0) throw new Error('busy')
        device.vips.delete(id)
      },
    }
    const settings = { observeIntervalMs: 20, selfFenceMs: FENCE_MS }
    const kept = await startBalancers(directory, device, { now: clock.now, settings, places })
    await kept.keeper.apply(applyOf(networked()), at(1))
    kept.plane.disconnect()
    clock.ms += FENCE_MS
    await eventually(() => expect(device.vips.size).toBe(0))
  })

  it('takes down what was being brought up at that moment too, and says that it is not', async () => {
    const { device, clock, kept, balancer } = await start()
    let open!: () => void
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    device.before.apply = () => opened
    const applied = kept.keeper.apply(applyOf(balancer), at(4))
    await eventually(() => expect(device.steps()).toHaveLength(2))
    kept.plane.disconnect()
    clock.ms += FENCE_MS
    await eventually(() => expect(device.vips.size).toBe(0))
    open()
    await expect(applied).rejects.toMatchObject({ type: 'balancing.vip-withdrawn' })
    await eventually(() => expect(device.vips.size).toBe(0))
    expect(kept.keeper.held()).toMatchObject([{ withdrawn: true, generation: 0 }])
  })

  it('takes none up that was only written down at that moment, whether it has others or not', async () => {
    for (const hasOthers of [true, false]) {
      const { device, clock, kept, balancer } = await start()
      if (!hasOthers) await kept.keeper.remove(removeOf(balancer), forever)
      const { state } = kept
      const write = state.set.bind(state)
      let written!: () => void
      const slow = new Promise<void>((resolve) => {
        written = resolve
      })
      let isWriting = false
      state.set = async (...given) => {
        isWriting = true
        await slow
        await write(...given)
      }
      const before = device.steps().length
      const second = networked()
      const applied = kept.keeper.apply(applyOf(second), at(1))
      const refused = expect(applied).rejects.toMatchObject({ type: 'balancing.vip-withdrawn' })
      await eventually(() => expect(isWriting).toBe(true))
      kept.plane.disconnect()
      clock.ms += FENCE_MS
      if (hasOthers) await eventually(() => expect(device.vips.size).toBe(0))
      written()
      await refused
      await eventually(() =>
        expect(kept.keeper.held().find(({ loadBalancerId }) => loadBalancerId === second.id)).toMatchObject({
          withdrawn: true,
          generation: 0,
        }),
      )
      expect(device.steps()).toHaveLength(before)
      expect([...device.vips]).toEqual([])
    }
  })

  it('takes none up for a command that was left over', async () => {
    const { device, clock, kept } = await start()
    kept.plane.disconnect()
    clock.ms += FENCE_MS
    await expect(kept.keeper.apply(applyOf(networked()), at(1))).rejects.toMatchObject({
      type: 'balancing.vip-withdrawn',
    })
    expect(device.steps()).toEqual(['apply'])
  })

  it('that was stopped for so long does not trust the session that it finds, and asks for another', async () => {
    const { device, clock, kept } = await start()
    await eventually(() => expect(kept.state.mark).not.toBeNull())
    clock.ms += FENCE_MS * 60
    await eventually(() => expect(device.vips.size).toBe(0))
    expect(kept.renewed).toBe(1)
  })
})

describe('the VIPs of a host', () => {
  it('are renewed while it is in a session, and not when it is not', async () => {
    const { device, clock, kept, balancer } = await start()
    expect(device.lives).toEqual([FENCE_MS])
    clock.ms += FENCE_MS / 2
    await eventually(() => expect(device.renewals).toContain(balancer.id))
    await ticked(kept)
    kept.plane.disconnect()
    const before = device.renewals.length
    clock.ms += FENCE_MS - 1
    await ticked(kept)
    expect(device.renewals).toHaveLength(before)
  })

  it('last for as long as the plane has told, from then on', async () => {
    const { device, kept } = await start()
    kept.keeper.obey({ 'balancing.selfFenceMs': 7000 })
    kept.keeper.obey({ 'balancing.selfFenceMs': 7000, 'balancing.observeIntervalMs': 50 })
    expect(device.lives).toEqual([FENCE_MS, 7000])
  })

  it('come back where they were gone before a new agent was in a session', async () => {
    const { device, clock, kept, balancer, live } = await start()
    await eventually(() => expect(kept.state.mark).not.toBeNull())
    await kept.end()
    device.vips.clear()
    clock.ms += FENCE_MS / 2
    await live()
    await eventually(() => expect(device.vips).toEqual(new Set([balancer.id])))
  })

  it('are not renewed when they were taken down', async () => {
    const { device, clock, kept, live } = await start()
    kept.plane.disconnect()
    clock.ms += FENCE_MS
    await eventually(() => expect(device.vips.size).toBe(0))
    await kept.end()
    device.renewals.length = 0
    const next = await live()
    clock.ms += FENCE_MS / 2
    await ticked(next)
    expect([device.renewals, [...device.vips]]).toEqual([[], []])
  })
})

describe('an agent that starts', () => {
  const soon = async (kept: KeptBalancers) => eventually(() => expect(kept.keeper.held()).toHaveLength(1))

  it('leaves VIPs up that were in a session a moment ago, and counts on from there', async () => {
    const { device, clock, kept, live } = await start()
    await eventually(() => expect(kept.state.mark).not.toBeNull())
    await kept.end()
    clock.ms += FENCE_MS / 2
    const next = await live({ away: true })
    await soon(next)
    expect(device.vips.size).toBe(1)
    clock.ms += FENCE_MS / 2
    await eventually(() => expect(device.vips.size).toBe(0))
  })

  it('takes them down at once when it was away for too long', async () => {
    const { device, clock, kept, live } = await start()
    await kept.end()
    clock.ms += FENCE_MS
    await live({ away: true })
    await eventually(() => expect(device.vips.size).toBe(0))
  })

  it('brings none up after a boot before the plane has said it again', async () => {
    const { device, clock, kept, balancer, live } = await start()
    await kept.end()
    device.has.clear()
    device.vips.clear()
    clock.ms = 10_000
    const next = await live({ bootId: 'boot-2' })
    await ticked(next)
    expect(device.steps()).toEqual(['apply'])
    expect(await next.keeper.inventory()).toMatchObject([{ generation: 0 }])
    await next.keeper.apply(applyOf(balancer), at(4))
    expect(device.vips.size).toBe(1)
  })

  it('remembers which were taken down, also when it ends before the plane has said them again', async () => {
    const { device, clock, kept, live } = await start()
    kept.plane.disconnect()
    clock.ms += FENCE_MS
    await eventually(() => expect(device.vips.size).toBe(0))
    kept.plane.connect(2)
    await kept.end()
    const next = await live()
    await soon(next)
    expect(next.keeper.held()).toMatchObject([{ withdrawn: true, generation: 0 }])
    expect(device.vips.size).toBe(0)
  })

  it('counts by a clock that goes on from boot to boot', () => {
    const first = sinceBootMs()
    expect(first).toBeGreaterThan(0)
    expect(sinceBootMs()).toBeGreaterThanOrEqual(first)
  })
})
