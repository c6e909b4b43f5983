import { StorageUnmanaged } from '../../src/wire/commands.js'
import { parseWire } from '../../src/wire/validate.js'
import { ContractHost } from './support/contract-host.js'
import type { MakeSubject } from './support/subject.js'

export function describeStorageUnmanageContract(name: string, makeSubject: MakeSubject): void {
  describe(`storage.unmanage on ${name}`, () => {
    const start = () => ContractHost.start(makeSubject)
    const manage = (host: ContractHost, connectionId: string, generation = 1) =>
      host.carryOut({
        subject: `storage-connection/${connectionId}`,
        generation,
        payload: { connectionId, uri: host.subject.uri(1), options: {} },
      })
    const unmanage = async (host: ContractHost, connectionId: string, generation = 2) => {
      const report = await host.carryOut({
        kind: 'storage.unmanage',
        subject: `storage-connection/${connectionId}`,
        generation,
        payload: { connectionId },
      })
      expect(report).toMatchObject({ state: 'succeeded' })
      return parseWire(StorageUnmanaged, report.result).outcome
    }

    it('lets the connection go, and takes it out of the inventory', async () => {
      const host = await start()
      await manage(host, 'c1')
      await host.shows('c1', 'UP')
      expect(await unmanage(host, 'c1')).toBe('released')
      expect(host.inventory()).toEqual([])
      await host.isConnectedTo(0)
    })

    it('of an unknown id has nothing to do', async () => {
      expect(await unmanage(await start(), 'nobody')).toBe('absent')
    })

    it('said twice has one effect', async () => {
      const host = await start()
      await manage(host, 'c1')
      expect(await unmanage(host, 'c1', 2)).toBe('released')
      expect(await unmanage(host, 'c1', 3)).toBe('absent')
      await host.isConnectedTo(0)
    })

    it('leaves the target to other ids that lead to it', async () => {
      const host = await start()
      await manage(host, 'c1')
      await manage(host, 'c2')
      await host.shows('c2', 'UP')
      expect(await unmanage(host, 'c1')).toBe('released')
      expect(host.inventory()).toMatchObject([{ subject: 'storage-connection/c2', status: 'UP' }])
      await host.isConnectedTo(1)
    })

    it('can be followed by another manage', async () => {
      const host = await start()
      await manage(host, 'c1')
      await host.shows('c1', 'UP')
      await unmanage(host, 'c1', 2)
      expect(await manage(host, 'c1', 3)).toMatchObject({ state: 'succeeded' })
      await host.shows('c1', 'UP')
      expect(host.inventory()).toMatchObject([{ generation: 3 }])
      await host.isConnectedTo(1)
    })

    it('refuses a payload without an id', async () => {
      const host = await start()
      const report = await host.carryOut({ kind: 'storage.unmanage', payload: {} })
      expect(report).toMatchObject({ state: 'failed', fault: { type: 'bad-payload' } })
    })
  })
}
