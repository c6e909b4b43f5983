import type { RunnerHooks, RunnerStep } from '../../../src/agent/runner.js'

/** Stops everything at the given step of the first command that comes there, as a kill of the process would. */
export class CrashAt implements RunnerHooks {
  reached = false

  constructor(private readonly step: RunnerStep | 'never') {}

  at(step: RunnerStep): Promise<void> {
    if (this.reached) return new Promise(() => undefined)
    if (step !== this.step) return Promise.resolve()
    this.reached = true
    return new Promise(() => undefined)
  }
}
