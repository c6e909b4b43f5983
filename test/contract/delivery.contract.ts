import type { RunnerStep } from '../../src/agent/runner.js'
import type { CommandMessage } from '../../src/wire/session.js'
import { command, resetCommand } from '../agent/support/commands.js'
import { eventually } from '../support/eventually.js'
import { ContractHost } from './support/contract-host.js'
import type { MakeSubject } from './support/subject.js'

/** What a crash at each step leaves, and how often the handler then runs in all. */
const levelSteps: readonly (readonly [step: RunnerStep, runs: number])[] = [
  ['received', 1],
  ['acted', 2],
  ['done', 1],
  ['reported', 1],
]
const onceSteps: readonly (readonly [step: RunnerStep, end: string, runs: number])[] = [
  ['received', 'succeeded', 1],
  ['permitted', 'succeeded', 1],
  ['started', 'interrupted', 0],
  ['acted', 'interrupted', 1],
  ['done', 'succeeded', 1],
  ['reported', 'succeeded', 1],
]

/** Whatever the network and the process do, a command has one end, and its effect is that of being carried out once. */
export function describeDeliveryContract(name: string, makeSubject: MakeSubject): void {
  describe(`delivery on ${name}`, () => {
    const start = () => ContractHost.start(makeSubject)
    const payloadOf = (host: ContractHost, number: number) => ({
      connectionId: 'c1',
      uri: host.subject.uri(number),
      options: {},
    })
    /** A first life up to the crash, and a second one in which the plane sends again what it has not heard the end of. */
    const crashAndReturn = async (step: RunnerStep, sent: CommandMessage, host: ContractHost) => {
      await host.end()
      const first = await ContractHost.live(host.subject, step)
      first.accept(sent)
      await first.crashed()
      const second = await ContractHost.live(host.subject, 'never')
      second.accept({ ...sent, permitted: sent.kind === 'storage.reset' && step !== 'received' })
      const report = first.plane.reportOf(sent.id) ?? (await second.reportOf(sent.id))
      return { report, second, runs: first.acted.length + second.acted.length }
    }

    it('twice acts once and ends once', async () => {
      const host = await start()
      const sent = command({ payload: payloadOf(host, 1) })
      host.accept(sent)
      host.accept(sent)
      expect(await host.reportOf(sent.id)).toMatchObject({ state: 'succeeded' })
      expect(host.acted).toEqual(['storage.manage'])
    })

    it('after it was forgotten is superseded, and does not bring back what was removed', async () => {
      const host = await start()
      const sent = command({ payload: payloadOf(host, 1) })
      host.accept(sent)
      await host.reportOf(sent.id)
      await host.carryOut({ kind: 'storage.unmanage', generation: 2, payload: { connectionId: 'c1' } })
      await eventually(() => expect([...host.journal.entries()]).toEqual([]))
      host.plane.recorded.length = 0
      host.accept(sent)
      expect(await host.reportOf(sent.id)).toMatchObject({ state: 'superseded' })
      expect(host.inventory()).toEqual([])
      expect(host.acted).toEqual(['storage.manage', 'storage.unmanage'])
    })

    it('out of order keeps the later one', async () => {
      const host = await start()
      const [older, newer] = [
        command({ payload: payloadOf(host, 1) }),
        command({ generation: 2, payload: payloadOf(host, 2) }),
      ]
      host.accept(newer)
      expect(await host.reportOf(newer.id)).toMatchObject({ state: 'succeeded' })
      host.accept(older)
      expect(await host.reportOf(older.id)).toMatchObject({ state: 'superseded' })
      expect(host.inventory()).toMatchObject([{ generation: 2, detail: { target: host.subject.uri(2) } }])
    })

    it('by a fenced session is not taken', async () => {
      const host = await start()
      await host.carryOut({ payload: payloadOf(host, 1) })
      const fenced = command({ generation: 2, payload: payloadOf(host, 2), epoch: host.journal.epoch - 1 })
      host.acceptAsItIs(fenced)
      await host.carryOut({ subject: 'storage-connection/c2', payload: { ...payloadOf(host, 3), connectionId: 'c2' } })
      expect(host.acted).toHaveLength(2)
      expect(host.plane.reportOf(fenced.id)).toBeUndefined()
      expect(host.inventory()).toMatchObject([{ generation: 1 }, { subject: 'storage-connection/c2' }])
    })

    it.each(levelSteps)(
      'of a level over a crash after it was %s ends well, having run %d times',
      async (step, runs) => {
        const host = await start()
        const ended = await crashAndReturn(step, command({ payload: payloadOf(host, 1) }), host)
        expect(ended.report).toMatchObject({ state: 'succeeded' })
        expect(ended.runs).toBe(runs)
        await ended.second.shows('c1', 'UP')
        await ended.second.isConnectedTo(1)
      },
    )

    it.each(onceSteps)(
      'of a once over a crash after it was %s ends %s, having run %d times',
      async (step, end, runs) => {
        const host = await start()
        await host.carryOut({ payload: payloadOf(host, 1) })
        await host.shows('c1', 'UP')
        const ended = await crashAndReturn(step, resetCommand(), host)
        expect(ended.report.fault?.type ?? ended.report.state).toBe(end)
        expect(ended.runs).toBe(runs)
        await ended.second.shows('c1', 'UP')
        await ended.second.isConnectedTo(1)
      },
    )
  })
}
