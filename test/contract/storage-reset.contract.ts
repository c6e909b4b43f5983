import { StorageResetDone } from '../../src/wire/commands.js'
import { parseWire } from '../../src/wire/validate.js'
import { resetCommand } from '../agent/support/commands.js'
import { ContractHost } from './support/contract-host.js'
import type { MakeSubject } from './support/subject.js'

export function describeStorageResetContract(name: string, makeSubject: MakeSubject): void {
  describe(`storage.reset on ${name}`, () => {
    const managed = async (uriOf: (host: ContractHost) => string) => {
      const host = await ContractHost.start(makeSubject)
      const payload = { connectionId: 'c1', uri: uriOf(host), options: {} }
      expect(await host.carryOut({ payload })).toMatchObject({ state: 'succeeded' })
      return host
    }

    it('connects anew, and says how it is after that', async () => {
      const host = await managed(({ subject }) => subject.uri(1))
      await host.shows('c1', 'UP')
      const before = host.statuses('c1').length
      const report = await host.carryOut(resetCommand())
      expect(report).toMatchObject({ state: 'succeeded' })
      expect(parseWire(StorageResetDone, report.result)).toEqual({ target: host.subject.uri(1), status: 'UP' })
      expect(host.statuses('c1').slice(before)).toEqual(['CONNECTING', 'UP'])
      await host.isConnectedTo(1)
    })

    it('asks for a start permit first, and does nothing without one', async () => {
      const host = await managed(({ subject }) => subject.uri(1))
      host.plane.permit = async () => ({ granted: false, reason: 'expired' })
      const sent = resetCommand()
      const report = await host.carryOut(sent)
      expect(host.plane.permitsAsked).toEqual([sent.id])
      expect(report).toMatchObject({ state: 'failed', fault: { type: 'permit-refused' } })
      expect(host.acted).toEqual(['storage.manage'])
    })

    it('of an unknown id fails as not-registered', async () => {
      const host = await ContractHost.start(makeSubject)
      const report = await host.carryOut(resetCommand())
      expect(report).toMatchObject({ state: 'failed', fault: { type: 'not-registered', number: 479 } })
    })

    it('of storage that does not answer fails with the reason, and the connection stays managed', async () => {
      const host = await managed(({ subject }) => subject.brokenUri)
      await host.shows('c1', 'DOWN')
      const report = await host.carryOut(resetCommand())
      expect(report).toMatchObject({ state: 'failed', fault: host.subject.brokenFault })
      await host.subject.mend()
      await host.shows('c1', 'UP')
    })
  })
}
