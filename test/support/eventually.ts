import { setTimeout as pause } from 'node:timers/promises'

export interface Patience {
  readonly timeoutMs?: number
  readonly intervalMs?: number
}

/** Asks again until `assertion` holds and answers what it returned; when time is up, fails with its last words. */
export async function eventually<T>(
  assertion: () => T | Promise<T>,
  { timeoutMs = 40_000, intervalMs = 20 }: Patience = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    try {
      return await assertion()
    } catch (error) {
      if (performance.now() > deadline) throw error
      await pause(intervalMs)
    }
  }
}
