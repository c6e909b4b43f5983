import type { Session } from '../agent/session.js'
import type { Report } from '../wire/session.js'
import type { HostFaults } from './host-faults.js'
import { shuffled } from './random.js'

/** More would say nothing new. */
const MAX_REPEATED = 200

/** What a host says again on its next session, though it was acknowledged. */
export type RepeatedReports = Report[]

/** The session as the scenario lets it be used. */
export function unreliableReports(session: Session, faults: HostFaults, repeated: RepeatedReports): Session {
  const again = repeated.splice(0)
  if (again.length > 0) void session.report(again).catch(ignored)
  return {
    epoch: session.epoch,
    address: session.address,
    permit: (commandId) => session.permit(commandId),
    renew: (csr) => session.renew(csr),
    observe: (observations) => session.observe(observations),
    report: async (reports) => {
      const sent = faults.strike('reorder') === null ? reports : reordered(reports, faults)
      if (sent.length === 0) return []
      const acknowledged = await session.report(sent)
      if (faults.strike('repeat') !== null) {
        repeated.push(...sent.slice(0, MAX_REPEATED - repeated.length))
        await session.report(sent).catch(ignored)
      }
      return acknowledged
    },
  }
}

/** Some are held back, and thus come after later ones; the others change places. */
function reordered(reports: readonly Report[], { random }: HostFaults): readonly Report[] {
  return shuffled(reports, random).filter(() => random() < 0.5)
}

/** A repetition is not waited for: what it says has been recorded. */
const ignored = () => undefined
