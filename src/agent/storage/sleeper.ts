import { Pause } from '../pause.js'

/** The sleep between the steps of a target: whatever is new to it cuts the sleep short, and so does its end. */
export class Sleeper {
  /** Something new has come since `listen`. */
  woken = false
  private readonly pause = new Pause()

  constructor(private readonly stopping: AbortSignal) {}

  /** What has come so far is known. */
  listen(): void {
    this.woken = false
  }

  async sleep(ms: number): Promise<void> {
    if (!this.woken && !this.stopping.aborted) await this.pause.wait(ms)
  }

  wake(): void {
    this.woken = true
    this.pause.wake()
  }

  /** Ends the sleep that is under way, and says nothing new. */
  stir(): void {
    this.pause.wake()
  }

  async stopped(): Promise<void> {
    if (this.stopping.aborted) return
    await new Promise((resolve) => this.stopping.addEventListener('abort', resolve, { once: true }))
  }
}
