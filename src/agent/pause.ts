/** A wait that can be cut short, and that does not keep the process alive by itself. */
export class Pause {
  private wakeUp: (() => void) | null = null

  /** Ends after `timeoutMs`, or as soon as `wake` is called. */
  async wait(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, timeoutMs).unref()
      this.wakeUp = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.wakeUp = null
  }

  wake(): void {
    this.wakeUp?.()
  }
}
