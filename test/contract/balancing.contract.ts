import { randomUUID } from 'node:crypto'
import type { LoadBalancerIntent } from '../../src/wire/balancing/intent.js'
import { inForce, listenerIntent } from '../agent/support/balancing.js'
import { eventually } from '../support/eventually.js'
import { BalancingHost } from './support/balancing-host.js'
import type { MakeBalancingSubject } from './support/balancing-subject.js'

const STEPS = [0, 1, 2, 3, 4, 5]

/** No device takes it: a certificate that is none, without a key. */
function worse(balancer: LoadBalancerIntent): LoadBalancerIntent {
  const certificate = { id: randomUUID(), chainPem: 'no certificate' }
  const listener = listenerIntent({
    protocol: 'TERMINATED_HTTPS',
    port: balancer.listeners[0]!.port + 1,
    defaultPoolId: balancer.pools[0]!.id,
    certificateIds: [certificate.id],
  })
  return { ...balancer, listeners: [...balancer.listeners, listener], certificates: [certificate] }
}

/** What every driver does alike, whatever it drives. */
export function describeBalancingContract(name: string, makeSubject: MakeBalancingSubject): void {
  describe(`a load balancer on ${name}`, () => {
    const start = async () => {
      const host = await BalancingHost.start(makeSubject)
      return { host, subject: host.subject }
    }
    const started = async () => {
      const { host, subject } = await start()
      const balancer = subject.leadingTo('one')
      await host.apply(balancer, 1)
      return { host, subject, balancer }
    }

    it('carries traffic when apply has ended, and is seen', async () => {
      const { host, subject, balancer } = await started()
      expect(await subject.ask(balancer)).toBe('one')
      expect(await host.inventory()).toMatchObject([inForce(balancer, 1)])
      expect(await host.list()).toEqual([balancer.id])
      await eventually(() =>
        expect(host.observations.at(-1)).toMatchObject({ generation: 1, status: 'ONLINE', fault: null }),
      )
    })

    it('said twice is the same', async () => {
      const { host, subject, balancer } = await started()
      await host.apply(balancer, 2)
      expect(await subject.ask(balancer)).toBe('one')
      expect(await host.inventory()).toMatchObject([inForce(balancer, 2)])
      expect(await host.list()).toEqual([balancer.id])
    })

    it('is replaced whole', async () => {
      const { host, subject, balancer } = await started()
      const next = subject.leadingTo('two', balancer)
      await host.apply(next, 2)
      expect(await subject.ask(next)).toBe('two')
      expect(await host.inventory()).toMatchObject([inForce(next, 2)])
    })

    it('that the device refuses leaves the one before in force, and says why', async () => {
      const { host, subject, balancer } = await started()
      await expect(host.apply(worse(balancer), 2)).rejects.toThrow(/\S/)
      expect(await subject.ask(balancer)).toBe('one')
      expect(await host.inventory()).toMatchObject([inForce(balancer, 1)])
      const next = subject.leadingTo('two', balancer)
      await host.apply(next, 3)
      expect(await subject.ask(next)).toBe('two')
    })

    it('that is refused from the start is not held', async () => {
      const { host, subject } = await start()
      const balancer = worse(subject.leadingTo('one'))
      await expect(host.apply(balancer, 1)).rejects.toThrow(/\S/)
      expect(await subject.ask(balancer)).toBeNull()
      await host.remove(balancer)
      expect(await host.inventory()).toEqual([])
      expect(await host.list()).toEqual([])
    })

    it('leaves nothing when it is removed, and is absent after that', async () => {
      const { host, subject, balancer } = await started()
      expect(await host.remove(balancer)).toBe('removed')
      expect(await subject.ask(balancer)).toBeNull()
      expect(await host.list()).toEqual([])
      expect(await host.inventory()).toEqual([])
      expect(await host.remove(balancer)).toBe('absent')
    })

    it('is checked without a change', async () => {
      const { host, subject, balancer } = await started()
      const good = await host.check(subject.leadingTo('two', balancer))
      expect(good).toMatchObject({ accepted: true, words: '' })
      expect([typeof good.current, typeof good.planned]).toEqual(['string', 'string'])
      const bad = await host.check(worse(balancer))
      expect(bad.accepted).toBe(false)
      expect(bad.words).not.toBe('')
      expect(await host.check(subject.leadingTo('one'))).toMatchObject({ current: null })
      expect(await subject.ask(balancer)).toBe('one')
      expect(await host.inventory()).toMatchObject([inForce(balancer, 1)])
      expect(await host.list()).toEqual([balancer.id])
    })

    it('runs on without its agent, and is taken up by the next', async () => {
      const { host, subject, balancer } = await started()
      await host.end()
      expect(await subject.ask(balancer)).toBe('one')
      const next = await BalancingHost.live(subject)
      await eventually(() => expect(next.observations.at(-1)).toMatchObject({ generation: 1, status: 'ONLINE' }))
      expect(await next.inventory()).toMatchObject([inForce(balancer, 1)])
    })

    it.each(STEPS)('whose agent was killed at step %i of a change ends in the change', async (step) => {
      const { host, subject, balancer } = await started()
      await host.end()
      const next = subject.leadingTo('two', balancer)
      const killed = await BalancingHost.live(subject, step)
      const ended = killed.apply(next, 2).catch(() => undefined)
      await Promise.race([ended, killed.halted])
      killed.die()
      const last = await BalancingHost.live(subject)
      await last.apply(next, 2)
      expect(await subject.ask(next)).toBe('two')
      expect(await last.inventory()).toMatchObject([inForce(next, 2)])
      expect(await last.remove(next)).toBe('removed')
      expect(await last.list()).toEqual([])
    })
  })
}
