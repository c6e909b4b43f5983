import { randomUUID } from 'node:crypto'
import 'reflect-metadata'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { FaultError } from '../../src/agent/fault.js'
import { eventually } from '../support/eventually.js'
import {
  applyOf,
  at,
  balancerIntent,
  forever,
  inForce,
  memberIntent,
  removeOf,
  ScriptedDevice,
  startBalancers,
  unanswered,
} from './support/balancing.js'
import { temporaryDirectory } from './support/temporary.js'

const never = () => new Promise<void>(() => undefined)
const refused = new FaultError('balancing.refused', 'cannot bind')

async function start() {
  const directory = await temporaryDirectory()
  const device = new ScriptedDevice()
  return { directory, device, kept: await startBalancers(directory, device) }
}

describe('the balancers of a host', () => {
  it('are in force when the answer is given, and are told with what is seen of them', async () => {
    const { device, kept } = await start()
    const balancer = balancerIntent()
    const [listener, member] = [balancer.listeners[0]!.id, balancer.pools[0]!.members[0]!.id]
    device.sees = () => ({
      status: 'DEGRADED',
      fault: null,
      detail: { statuses: { [member]: 'ERROR' }, statistics: { [listener]: statisticsOf(7) } },
    })
    await kept.keeper.apply(applyOf(balancer), at(4))
    expect(device.has.get(balancer.id)?.balancer).toEqual(balancer)
    await eventually(() =>
      expect(kept.observations.at(-1)).toEqual({
        subject: `load-balancer/${balancer.id}`,
        generation: 4,
        status: 'DEGRADED',
        fault: null,
        detail: { statuses: { [member]: 'ERROR' }, statistics: { [listener]: statisticsOf(7) } },
      }),
    )
    expect(await kept.keeper.inventory()).toMatchObject([inForce(balancer, 4)])
    expect(kept.keeper.heldGeneration(`load-balancer/${balancer.id}`)).toBe(4)
  })

  it('stay as they were when a newer one is refused', async () => {
    const { device, kept, directory } = await start()
    const balancer = balancerIntent()
    await kept.keeper.apply(applyOf(balancer), at(1))
    device.before.apply = () => {
      throw refused
    }
    const worse = { ...balancer, name: 'worse' }
    await expect(kept.keeper.apply(applyOf(worse), at(2))).rejects.toThrow('cannot bind')
    expect(await kept.keeper.inventory()).toMatchObject([inForce(balancer, 1)])
    await kept.end()
    const next = await startBalancers(directory, device)
    expect(await next.keeper.inventory()).toMatchObject([inForce(balancer, 1)])
  })

  it('leave nothing when the first of one is refused', async () => {
    const { device, kept, directory } = await start()
    device.before.apply = () => {
      throw refused
    }
    await expect(kept.keeper.apply(applyOf(balancerIntent()), at(1))).rejects.toThrow('cannot bind')
    expect(await kept.keeper.inventory()).toEqual([])
    expect(await readdir(join(directory, 'balancers'))).toEqual([])
  })

  it('are waited for where the device goes on by itself, and the plane sees no difference', async () => {
    const { device, kept } = await start()
    device.answers = 'PENDING'
    const balancer = balancerIntent()
    const applied = kept.keeper.apply(applyOf(balancer), at(1))
    await eventually(() => expect(device.calls).toContain('apply'))
    expect(await kept.keeper.inventory()).toMatchObject([{ generation: 0, digest: '' }])
    device.finish(balancer.id)
    expect(await applied).toEqual({})
    expect(await kept.keeper.inventory()).toMatchObject([inForce(balancer, 1)])
  })

  it('fail with the words of a device that gave it up after a while', async () => {
    const { device, kept } = await start()
    device.answers = 'PENDING'
    const balancer = balancerIntent()
    const applied = kept.keeper.apply(applyOf(balancer), at(1))
    await eventually(() => expect(device.calls).toContain('apply'))
    device.finish(balancer.id, refused)
    await expect(applied).rejects.toThrow('cannot bind')
    expect(await kept.keeper.inventory()).toEqual([])
  })

  it('are asked for again when the deadline came before the answer, until the device has said yes', async () => {
    const { device, kept } = await start()
    const balancer = balancerIntent()
    device.after.apply = unanswered
    const deadline = new AbortController()
    const applied = kept.keeper.apply(applyOf(balancer), at(1, deadline.signal))
    await eventually(() => expect(device.has.size).toBe(1))
    deadline.abort()
    await expect(applied).rejects.toThrow('no answer')
    device.after = {}
    await eventually(async () => expect(await kept.keeper.inventory()).toMatchObject([inForce(balancer, 1)]))
    expect(kept.observations.at(-1)).toMatchObject({ generation: 1, status: 'ONLINE' })
  })

  it('let a new command go before what is tried again', async () => {
    const { device, kept } = await start()
    const balancer = balancerIntent()
    device.before.apply = (id, signal) => unanswered(id, signal)
    const deadline = new AbortController()
    const first = kept.keeper.apply(applyOf(balancer), at(1, deadline.signal))
    await eventually(() => expect(device.steps()).toHaveLength(1))
    deadline.abort()
    await expect(first).rejects.toThrow()
    await eventually(() => expect(device.steps().length).toBeGreaterThan(1))
    const newer = { ...balancer, name: 'newer' }
    const second = kept.keeper.apply(applyOf(newer), at(2))
    device.before = {}
    await second
    expect(await kept.keeper.inventory()).toMatchObject([inForce(newer, 2)])
    expect(device.has.get(balancer.id)?.balancer.name).toBe('newer')
  })

  it('are removed with all that is of them, and twice is no fault', async () => {
    const { device, kept, directory } = await start()
    const balancer = balancerIntent()
    await kept.keeper.apply(applyOf(balancer), at(1))
    expect(await kept.keeper.remove(removeOf(balancer), forever)).toEqual({ outcome: 'removed' })
    expect(device.has.size).toBe(0)
    expect(await kept.keeper.remove(removeOf(balancer), forever)).toEqual({ outcome: 'absent' })
    expect(await kept.keeper.inventory()).toEqual([])
    expect(await readdir(join(directory, 'balancers'))).toEqual([])
  })

  it('are removed also where only the device knows of one', async () => {
    const { device, kept } = await start()
    const balancer = balancerIntent()
    device.has.set(balancer.id, { generation: 1, balancer, keys: {} })
    expect(await kept.keeper.inventory()).toMatchObject([
      { subject: `load-balancer/${balancer.id}`, origin: 'plane', generation: 0, digest: '' },
    ])
    expect(await kept.keeper.remove(removeOf(balancer), forever)).toEqual({ outcome: 'removed' })
    expect(await kept.keeper.inventory()).toEqual([])
  })

  it('refuse what comes with a lower epoch of the device than was seen, over a restart too', async () => {
    const { device, kept, directory } = await start()
    const balancer = balancerIntent()
    await kept.keeper.apply(applyOf(balancer, { device: { name: 'host', epoch: 3 } }), at(1))
    await kept.end()
    const next = await startBalancers(directory, device)
    await expect(next.keeper.apply(applyOf(balancer), at(2))).rejects.toMatchObject({ type: 'fenced' })
    await expect(next.keeper.remove(removeOf(balancer, 2), forever)).rejects.toMatchObject({ type: 'fenced' })
    expect(device.has.get(balancer.id)?.generation).toBe(1)
  })

  it('that another agent has taken over are nothing of this host any more', async () => {
    const { device, kept } = await start()
    await kept.keeper.apply(applyOf(balancerIntent()), at(1))
    device.before.observe = () => {
      throw new FaultError('fenced', 'in other hands')
    }
    await eventually(() => expect(kept.keeper.held()).toEqual([]))
    expect(device.steps()).toEqual(['apply'])
  })

  it('are done one step at a time, and others meanwhile', async () => {
    const { device, kept } = await start()
    const [slow, quick] = [balancerIntent(), balancerIntent()]
    let open!: () => void
    const opened = new Promise<void>((resolve) => {
      open = resolve
    })
    device.before.apply = (id) => (id === slow.id ? opened : undefined)
    const first = kept.keeper.apply(applyOf(slow), at(1))
    const removal = kept.keeper.remove(removeOf(slow), forever)
    await kept.keeper.apply(applyOf(quick), at(1))
    expect([...device.has.keys()]).toEqual([quick.id])
    open()
    await first
    expect(await removal).toEqual({ outcome: 'removed' })
    expect([...device.has.keys()]).toEqual([quick.id])
  })

  it('keep the keys of their certificates sealed', async () => {
    const { device, kept, directory } = await start()
    const balancer = balancerIntent()
    await kept.keeper.apply(applyOf(balancer, { keys: { c1: 'swordfish' } }), at(1))
    const file = join(directory, 'balancers', `${balancer.id}.json`)
    expect(await readFile(file, 'utf8')).not.toContain('swordfish')
    await kept.end()
    device.has.clear()
    await startBalancers(directory, device)
    await eventually(() => expect(device.has.get(balancer.id)?.keys).toEqual({ c1: 'swordfish' }))
  })

  it('cost nothing while nothing changes', async () => {
    const { device, kept } = await start()
    await kept.keeper.apply(applyOf(balancerIntent()), at(1))
    await eventually(() => expect(kept.observations).toHaveLength(1))
    const looks = () => device.calls.filter((call) => call === 'observe').length
    const before = looks()
    await eventually(() => expect(looks()).toBeGreaterThan(before + 3))
    expect(kept.observations).toHaveLength(1)
  })

  it('tell of a member that is down at once', async () => {
    const { device, kept } = await start()
    const balancer = balancerIntent()
    await kept.keeper.apply(applyOf(balancer), at(1))
    const member = balancer.pools[0]!.members[0]!.id
    device.sees = () => ({ status: 'ERROR', fault: null, detail: { statuses: { [member]: 'ERROR' }, statistics: {} } })
    await eventually(() =>
      expect(kept.observations.at(-1)).toMatchObject({ status: 'ERROR', detail: { statuses: { [member]: 'ERROR' } } }),
    )
  })

  it('tell of checks and rules as working while they are in force: no device has an eye for them', async () => {
    const { kept } = await start()
    const balancer = balancerIntent()
    const [monitor, policy, rule] = Array.from({ length: 3 }, () => randomUUID())
    const withRules = {
      ...balancer,
      listeners: balancer.listeners.map((listener) => ({
        ...listener,
        policies: [
          {
            id: policy!,
            action: 'REJECT' as const,
            redirectPoolId: null,
            redirectUrl: null,
            redirectPrefix: null,
            redirectHttpCode: null,
            rules: [
              {
                id: rule!,
                type: 'PATH' as const,
                compareType: 'EQUAL_TO' as const,
                key: null,
                value: '/',
                invert: false,
              },
            ],
          },
        ],
      })),
      pools: balancer.pools.map((pool) => ({
        ...pool,
        monitor: {
          id: monitor!,
          adminStateUp: false,
          type: 'TCP' as const,
          delay: 1,
          timeout: 1,
          maxRetries: 1,
          maxRetriesDown: 1,
          httpMethod: null,
          urlPath: null,
          expectedCodes: null,
          httpVersion: null,
          domainName: null,
        },
      })),
    }
    await kept.keeper.apply(applyOf(withRules), at(1))
    await eventually(() =>
      expect(kept.observations.at(-1)?.detail).toMatchObject({
        statuses: { [monitor!]: 'OFFLINE', [policy!]: 'ONLINE', [rule!]: 'ONLINE' },
      }),
    )
  })

  it('come back by themselves where the device has lost one', async () => {
    const { device, kept } = await start()
    const balancer = balancerIntent()
    await kept.keeper.apply(applyOf(balancer), at(1))
    device.has.clear()
    await eventually(() => expect(device.has.get(balancer.id)?.generation).toBe(1))
  })

  it('are looked at although another hangs', async () => {
    const { device, kept } = await start()
    const [hanging, sound] = [balancerIntent(), balancerIntent()]
    device.before.observe = (id) => (id === hanging.id ? never() : undefined)
    await kept.keeper.apply(applyOf(hanging), at(1))
    await kept.keeper.apply(applyOf(sound), at(1))
    await eventually(() => expect(kept.observations.at(-1)?.subject).toBe(`load-balancer/${sound.id}`))
  })

  it('refuse a provider, or a device, that this agent does not reach', async () => {
    const { kept } = await start()
    const strange = applyOf(balancerIntent(), { device: { name: 'lb9', epoch: 1 } })
    await expect(kept.keeper.apply(strange, at(1))).rejects.toMatchObject({ type: 'balancing.no-driver' })
  })
})

describe('balancers over the end of the agent', () => {
  it('run on, and are taken up without being touched', async () => {
    const { device, kept, directory } = await start()
    const balancer = balancerIntent()
    await kept.keeper.apply(applyOf(balancer), at(5))
    await kept.end()
    const next = await startBalancers(directory, device)
    await eventually(() => expect(next.observations).toMatchObject([{ generation: 5, status: 'ONLINE' }]))
    expect(device.steps()).toEqual(['apply'])
    expect(await next.keeper.inventory()).toMatchObject([inForce(balancer, 5)])
  })

  it.each([
    ['before the device did anything', 'before'],
    ['after the device had done it', 'after'],
  ] as const)('killed %s end in what the plane said last', async (_, when) => {
    const { device, kept, directory } = await start()
    const balancer = balancerIntent()
    await kept.keeper.apply(applyOf(balancer), at(1))
    const newer = { ...balancer, pools: [{ ...balancer.pools[0]!, members: [memberIntent({ weight: 7 })] }] }
    device[when].apply = never
    void kept.keeper.apply(applyOf(newer), at(2))
    await eventually(() => expect(device.steps()).toHaveLength(2))
    device[when] = {}
    const next = await startBalancers(directory, device)
    await eventually(async () => expect(await next.keeper.inventory()).toMatchObject([inForce(newer, 2)]))
    expect(device.has.get(balancer.id)?.balancer).toEqual(newer)
  })

  it('killed while one that is refused was tried keep the one before', async () => {
    const { device, kept, directory } = await start()
    const balancer = balancerIntent()
    await kept.keeper.apply(applyOf(balancer), at(1))
    device.before.apply = never
    void kept.keeper.apply(applyOf({ ...balancer, name: 'worse' }), at(2))
    await eventually(() => expect(device.steps()).toHaveLength(2))
    device.before.apply = () => {
      throw refused
    }
    const next = await startBalancers(directory, device)
    await eventually(() => expect(device.steps()).toHaveLength(3))
    await eventually(() => expect(next.observations.at(-1)).toMatchObject({ generation: 1, status: 'ONLINE' }))
    expect(await next.keeper.inventory()).toMatchObject([inForce(balancer, 1)])
  })

  it.each([
    ['before the device did anything', 'before'],
    ['after the device had done it', 'after'],
  ] as const)('killed while one was removed, %s, are rid of it', async (_, when) => {
    const { device, kept, directory } = await start()
    const balancer = balancerIntent()
    await kept.keeper.apply(applyOf(balancer), at(1))
    device[when].remove = never
    void kept.keeper.remove(removeOf(balancer), forever)
    await eventually(() => expect(device.steps()).toHaveLength(2))
    device[when] = {}
    const next = await startBalancers(directory, device)
    expect(next.keeper.heldGeneration(`load-balancer/${balancer.id}`)).toBeUndefined()
    await eventually(() => expect(next.keeper.held()).toEqual([]))
    expect(device.has.size).toBe(0)
    expect(await next.keeper.inventory()).toEqual([])
  })

  it('that nobody told it of are shown, and stay', async () => {
    const { device, kept } = await start()
    const foreign = balancerIntent()
    device.has.set(foreign.id, { generation: 1, balancer: foreign, keys: {} })
    await kept.keeper.apply(applyOf(balancerIntent()), at(1))
    await eventually(() => expect(kept.observations).not.toHaveLength(0))
    expect(await kept.keeper.inventory()).toHaveLength(2)
    expect(device.has.has(foreign.id)).toBe(true)
  })
})

const statisticsOf = (connections: number) => ({
  activeConnections: connections,
  totalConnections: connections,
  bytesIn: 1,
  bytesOut: 2,
  requestErrors: 0,
})
