import type { TestProcess } from '../../support/process.js'

/** A program of ours that a trial kills and starts as often as it likes. */
export abstract class Restartable {
  protected process: TestProcess | null = null

  /** @param noun as messages call it */
  protected constructor(private readonly noun: string) {}

  get pid(): number {
    if (!this.process) throw new Error(`the ${this.noun} does not run`)
    return this.process.pid
  }

  get running(): boolean {
    return this.process !== null
  }

  /** All that this run of it has said. */
  get log(): string {
    return this.process ? `${this.process.stdout}\n${this.process.stderr}` : ''
  }

  async kill(): Promise<void> {
    const { process } = this
    this.process = null
    await process?.kill()
  }

  async stop(): Promise<void> {
    const { process } = this
    this.process = null
    process?.signal('SIGTERM')
    await process?.ended
  }

  signal(signal: NodeJS.Signals): void {
    this.process?.signal(signal)
  }
}
