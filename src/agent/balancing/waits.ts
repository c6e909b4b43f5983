import { setTimeout as delay } from 'node:timers/promises'
import { FaultError } from '../fault.js'
import type { Progress } from './driver.js'

const ASK_FIRST_MS = 20
const ASK_LATER_MS = 500

/** What a device goes on with by itself is waited for: the plane cannot tell one kind of driver from the other (L5). */
export async function followed(first: Progress, ask: () => Promise<Progress>, signal: AbortSignal): Promise<void> {
  let everyMs = ASK_FIRST_MS
  for (let progress = first; progress === 'PENDING'; progress = await ask()) {
    await delay(everyMs, undefined, { signal }).catch(() => undefined)
    if (signal.aborted) throw new FaultError('balancing.deadline', 'the device was not done with it in time')
    everyMs = Math.min(ASK_LATER_MS, everyMs * 2)
  }
}

/** @throws FaultError when it takes longer; the work itself goes on. */
export async function within<T>(limitMs: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new FaultError('balancing.timeout', `${what} took longer than ${limitMs} ms`)),
      limitMs,
    )
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
