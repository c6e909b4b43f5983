import { ContractHost } from './support/contract-host.js'
import type { MakeSubject } from './support/subject.js'

/** What a program on a host asks for and what the plane asks for go side by side, however they are called. */
export function describeStorageOwnContract(name: string, makeSubject: MakeSubject): void {
  describe(`own ids of a host, on ${name}`, () => {
    const start = async () => {
      const host = await ContractHost.start(makeSubject)
      const payload = { connectionId: 'c1', uri: host.subject.uri(1), options: {} }
      return { host, payload }
    }
    const subjects = (host: ContractHost) => host.inventory().map(({ subject, origin }) => `${origin} ${subject}`)

    it('share a target with those of the plane, which is connected once and until the last has gone', async () => {
      const { host, payload } = await start()
      await host.own.manage('c1', { uri: host.subject.otherSpelling(1) })
      await host.carryOut({ payload })
      await host.shows('c1', 'UP')
      expect(subjects(host).sort()).toEqual(['host host-storage-connection/c1', 'plane storage-connection/c1'])
      await host.isConnectedTo(1)
      await host.own.unmanage('c1')
      expect(subjects(host)).toEqual(['plane storage-connection/c1'])
      await host.isConnectedTo(1)
      await host.carryOut({ kind: 'storage.unmanage', generation: 2, payload: { connectionId: 'c1' } })
      await host.isConnectedTo(0)
    })

    it('stay when the plane lets go of one that is spelled alike', async () => {
      const { host, payload } = await start()
      await host.own.manage('c1', { uri: host.subject.uri(1) })
      await host.carryOut({ payload })
      await host.carryOut({ kind: 'storage.unmanage', generation: 2, payload: { connectionId: 'c1' } })
      expect(subjects(host)).toEqual(['host host-storage-connection/c1'])
      await host.isConnectedTo(1)
    })

    it('are out of the reach of every command', async () => {
      const { host } = await start()
      await host.own.manage('c1', { uri: host.subject.uri(1) })
      const report = await host.carryOut({ kind: 'storage.unmanage', payload: { connectionId: 'c1' } })
      expect(report).toMatchObject({ state: 'succeeded', result: { outcome: 'absent' } })
      const key = { connectionId: 'host/c1' }
      expect(await host.carryOut({ kind: 'storage.unmanage', generation: 2, payload: key })).toMatchObject({
        state: 'failed',
        fault: { type: 'bad-payload' },
      })
      expect(subjects(host)).toEqual(['host host-storage-connection/c1'])
    })

    it('outlive the agent', async () => {
      const { host } = await start()
      await host.own.manage('c1', { uri: host.subject.uri(1) })
      await host.end()
      const next = await ContractHost.live(host.subject, 'never')
      expect(subjects(next)).toEqual(['host host-storage-connection/c1'])
      await next.isConnectedTo(1)
    })
  })
}
