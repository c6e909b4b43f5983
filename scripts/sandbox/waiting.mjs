import { setTimeout as pause } from 'node:timers/promises'

const INTERVAL_MS = 100

/**
 * Asks again until `look` answers something that is not undefined. What it throws counts as "not yet", and is told when
 * the time is up.
 */
export async function waitFor(what, look, { timeoutMs, signal }) {
  const deadline = performance.now() + timeoutMs
  let last = 'nothing was seen'
  for (;;) {
    signal?.throwIfAborted()
    try {
      const found = await look()
      if (found !== undefined) return found
    } catch (error) {
      last = error.cause?.message ?? error.message
    }
    if (performance.now() > deadline) throw new Error(`${what}: not within ${timeoutMs / 1_000} s (${last})`)
    await pause(INTERVAL_MS)
  }
}
