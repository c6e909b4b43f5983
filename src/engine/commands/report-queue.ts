import { Injectable } from '@nestjs/common'
import type { Report } from '../../wire/session.js'
import { Gatherer } from '../platform/gatherer.js'
import type { EndReport } from './commands.queries.js'
import { Settlement } from './settlement.js'

/** The reports of all sessions, written in batches; agents repeat those that are refused. */
@Injectable()
export class ReportQueue {
  private readonly gatherer: Gatherer<EndReport, boolean>

  constructor(settlement: Settlement) {
    this.gatherer = new Gatherer({
      name: 'reports',
      maxBatch: 500,
      maxWaiting: 20_000,
      write: async (reports) => {
        const current = await settlement.report(reports)
        return reports.map((report) => current.has(`${report.hostId} ${report.epoch}`))
      },
    })
  }

  /** @returns the ids that are recorded; the others came under an old epoch and must be reported again */
  async submit(hostId: string, epoch: number, reports: readonly Report[]): Promise<string[]> {
    const recorded = await this.gatherer.submit(
      reports.map(({ commandId: id, state, result = null, fault = null }) => ({
        id,
        hostId,
        epoch,
        state,
        result,
        fault,
      })),
    )
    return reports.filter((_, i) => recorded[i]).map((report) => report.commandId)
  }
}
