import { CurrentSession, type Session } from '../../../src/agent/session.js'
import type { Permit, Report } from '../../../src/wire/session.js'

/** The plane as the runner meets it: grants or refuses permits, records reports, and may be away. */
export class ScriptedPlane {
  readonly current = new CurrentSession()
  readonly recorded: Report[] = []
  readonly permitsAsked: string[] = []
  permit: (commandId: string) => Promise<Permit> = async () => ({ granted: true })
  /** What the plane does with reports; by default it records all. */
  take: (reports: readonly Report[]) => Promise<readonly string[]> = async (reports) =>
    reports.map(({ commandId }) => commandId)
  readonly batches: number[] = []

  connect(epoch = 1): Session {
    const session: Session = {
      epoch,
      address: 'test:1',
      permit: (commandId) => {
        this.permitsAsked.push(commandId)
        return this.permit(commandId)
      },
      report: async (reports) => {
        this.batches.push(reports.length)
        const taken = await this.take(reports)
        this.recorded.push(...reports.filter(({ commandId }) => taken.includes(commandId)))
        return taken
      },
      observe: async () => undefined,
      renew: async () => {
        throw new Error('this plane certifies nobody')
      },
    }
    this.current.set(session)
    return session
  }

  disconnect(): void {
    this.current.set(null)
  }

  reportOf(commandId: string): Report | undefined {
    return this.recorded.find((report) => report.commandId === commandId)
  }
}
