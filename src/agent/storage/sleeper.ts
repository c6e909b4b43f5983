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

  /** Until then, or until it `isOff` by what comes: that is asked each time. @returns whether `ended` resolved */
  async sleepUntil(ended: Promise<void>, isOff: () => boolean): Promise<boolean> {
    let over = false
    void ended.then(() => {
      over = true
      this.stir()
    })
    let news = this.woken
    while (!over && !isOff() && !this.stopping.aborted) {
      this.listen()
      await this.sleep(LONG_MS)
      news ||= this.woken
    }
    this.woken = news
    return over
  }
}

export const LONG_MS = 3_600_000
