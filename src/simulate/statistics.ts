import type { FaultName } from './fault-parameters.js'

/** What all hosts of a simulation have done since its start. */
export class Statistics {
  sessionsOpened = 0
  commandsAccepted = 0
  /** Times that a handler began: more than commands, where one was carried out anew. */
  handled = 0
  reportsAcknowledged = 0
  readonly commandsEnded: Record<string, number> = {}
  readonly faults: Partial<Record<FaultName, number>> = {}

  injected(fault: FaultName): void {
    this.faults[fault] = (this.faults[fault] ?? 0) + 1
  }

  ended(state: string): void {
    this.commandsEnded[state] = (this.commandsEnded[state] ?? 0) + 1
  }
}
