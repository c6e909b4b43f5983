import { setTimeout as pause } from 'node:timers/promises'

/** Looks every `everyMs` until `look` answers something true. @throws when time is up */
export async function until<T>(
  what: string,
  look: () => T | Promise<T>,
  { withinMs = 60_000, everyMs = 50 }: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<NonNullable<T>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const seen = await look()
    if (seen) return seen
    if (performance.now() > deadline) throw new Error(`${what}: not within ${withinMs} ms`)
    await pause(everyMs)
  }
}
