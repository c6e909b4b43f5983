import { StorageManaged } from '../../src/wire/commands.js'
import { digestOf } from '../../src/wire/digest.js'
import { parseWire } from '../../src/wire/validate.js'
import { ContractHost } from './support/contract-host.js'
import type { MakeSubject } from './support/subject.js'

/** What makes no sense as an intent, and what it is refused with. */
const refused: readonly (readonly [what: string, payload: object, type: string])[] = [
  ['no URI', { connectionId: 'c1', options: {} }, 'bad-payload'],
  ['a URI that is no text', { connectionId: 'c1', uri: 7, options: {} }, 'bad-payload'],
  ['options that are no object', { connectionId: 'c1', uri: 'local:///srv', options: 'ro' }, 'bad-payload'],
  [
    'credentials that are no object',
    { connectionId: 'c1', uri: 'local:///srv', options: {}, credentials: 'x' },
    'bad-payload',
  ],
  ['an id with a slash', { connectionId: 'a/b', uri: 'local:///srv', options: {} }, 'bad-payload'],
  ['a URI without a scheme', { connectionId: 'c1', uri: '/srv', options: {} }, 'bad-arguments'],
  ['an unknown scheme', { connectionId: 'c1', uri: 'floppy:///a', options: {} }, 'bad-arguments'],
  ['a path that climbs', { connectionId: 'c1', uri: 'local:///srv/../etc', options: {} }, 'bad-arguments'],
  ['an unknown parameter', { connectionId: 'c1', uri: 'local:///srv?speed=9', options: {} }, 'bad-arguments'],
  ['no filesystem type', { connectionId: 'c1', uri: 'posix:///srv', options: {} }, 'bad-arguments'],
  [
    'a credential where there is none',
    { connectionId: 'c1', uri: 'local:///srv', options: {}, credentials: { secret: 'swordfish' } },
    'bad-arguments',
  ],
  ['a server without a path', { connectionId: 'c1', uri: 'nfs://server', options: {} }, 'bad-arguments'],
  ['an unknown option', { connectionId: 'c1', uri: 'local:///srv', options: { fast: 'yes' } }, 'bad-arguments'],
]

export function describeStorageManageContract(name: string, makeSubject: MakeSubject): void {
  describe(`storage.manage on ${name}`, () => {
    const start = () => ContractHost.start(makeSubject)
    const manage = (host: ContractHost, uri: string, generation = 1, connectionId = 'c1') =>
      host.carryOut({
        subject: `storage-connection/${connectionId}`,
        generation,
        payload: { connectionId, uri, options: {} },
      })

    it('answers with the target as it is spelled by all', async () => {
      const host = await start()
      const report = await manage(host, host.subject.otherSpelling(1))
      expect(report).toMatchObject({ state: 'succeeded' })
      expect(parseWire(StorageManaged, report.result)).toEqual({ target: host.subject.uri(1) })
    })

    it('shows the connection CONNECTING, then UP', async () => {
      const host = await start()
      await manage(host, host.subject.uri(1))
      expect(await host.shows('c1', 'UP')).toMatchObject({ generation: 1, fault: null })
      expect(host.statuses('c1')[0]).toBe('CONNECTING')
      await host.isConnectedTo(1)
    })

    it('puts it into the inventory with the digest of its intent', async () => {
      const host = await start()
      const uri = host.subject.otherSpelling(1)
      await manage(host, uri, 4)
      await host.shows('c1', 'UP')
      expect(host.inventory()).toEqual([
        {
          subject: 'storage-connection/c1',
          generation: 4,
          status: 'UP',
          origin: 'plane',
          digest: digestOf({ options: {}, uri }),
          fault: null,
          detail: { uri, target: host.subject.uri(1), preexisting: false },
        },
      ])
    })

    it('said twice has one effect and one answer', async () => {
      const host = await start()
      const first = await manage(host, host.subject.uri(1), 1)
      await host.shows('c1', 'UP')
      const second = await manage(host, host.subject.uri(1), 2)
      expect(second).toMatchObject({ state: first.state, result: first.result })
      await host.isConnectedTo(1)
      expect(host.inventory()).toMatchObject([{ generation: 2, status: 'UP' }])
      expect(host.statuses('c1').filter((status) => status === 'CONNECTING')).toHaveLength(1)
    })

    it('is replaced by a newer intent, and not by an older one', async () => {
      const host = await start()
      await manage(host, host.subject.uri(1), 1)
      await manage(host, host.subject.uri(2), 3)
      expect(await manage(host, host.subject.uri(3), 2)).toMatchObject({ state: 'superseded' })
      await host.shows('c1', 'UP')
      expect(host.inventory()).toMatchObject([{ generation: 3, detail: { target: host.subject.uri(2) } }])
      await host.isConnectedTo(1)
    })

    it('connects a target once for all ids that lead to it', async () => {
      const host = await start()
      await manage(host, host.subject.uri(1), 1, 'c1')
      await manage(host, host.subject.otherSpelling(1), 1, 'c2')
      await host.shows('c1', 'UP')
      await host.shows('c2', 'UP')
      await host.isConnectedTo(1)
      expect(host.inventory()).toHaveLength(2)
    })

    it.each(refused)('refuses %s, and holds nothing', async (_, payload, type) => {
      const host = await start()
      const report = await host.carryOut({ payload })
      expect(report).toMatchObject({ state: 'failed', fault: { type } })
      expect(report.fault?.number).toBe(type === 'bad-arguments' ? 453 : undefined)
      expect(host.inventory()).toEqual([])
      await host.isConnectedTo(0)
    })

    it('of storage that does not answer succeeds, shows it DOWN with the reason, and UP when it is mended', async () => {
      const host = await start()
      expect(await manage(host, host.subject.brokenUri)).toMatchObject({ state: 'succeeded' })
      const down = await host.shows('c1', 'DOWN')
      expect(down.fault).toMatchObject(host.subject.brokenFault)
      expect(host.inventory()).toMatchObject([{ status: 'DOWN', fault: host.subject.brokenFault }])
      await host.subject.mend()
      expect(await host.shows('c1', 'UP')).toMatchObject({ fault: null })
    })

    it('outlives the agent: its next run holds the same', async () => {
      const host = await start()
      await manage(host, host.subject.uri(1), 2)
      await host.shows('c1', 'UP')
      await host.end()
      const next = await ContractHost.live(host.subject, 'never')
      await next.shows('c1', 'UP')
      expect(next.inventory()).toMatchObject([{ generation: 2, detail: { target: host.subject.uri(1) } }])
      await next.isConnectedTo(1)
    })
  })
}
