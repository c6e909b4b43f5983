import { type Run, wordsOf } from '../../host/run.js'
import { Pause } from '../../pause.js'
import type { ProbeLimits } from '../driver.js'
import { StuckError } from '../faults.js'
import type { Iscsiadm } from './iscsiadm.js'
import { type IscsiUnit, readUnits } from './sessions.js'

/** How long a unit may take to show after a scan: the kernel asks each for its size. */
const APPEAR_MS = 3000
const LOOK_EVERY_MS = 100
const RESCAN_MS = 30_000

export interface UnitSearch {
  readonly sysRoot: string
  readonly iscsiadm: Iscsiadm
  readonly appearMs?: number
}

/** The units of the session; where wanted ones are missing, the target is asked for them anew. */
export async function unitsWith(wanted: readonly number[], sid: number, search: UnitSearch): Promise<IscsiUnit[]> {
  const { sysRoot, iscsiadm, appearMs = APPEAR_MS } = search
  const found = await readUnits(sysRoot, sid)
  if (hasAll(found, wanted)) return found
  await iscsiadm.rescan(sid, RESCAN_MS)
  return appearing(wanted, sid, sysRoot, appearMs)
}

async function appearing(wanted: readonly number[], sid: number, sysRoot: string, forMs: number): Promise<IscsiUnit[]> {
  const until = performance.now() + forMs
  for (;;) {
    const units = await readUnits(sysRoot, sid)
    if (hasAll(units, wanted) || performance.now() >= until) return units
    await new Pause().wait(LOOK_EVERY_MS)
  }
}

/** A disk shows a moment later than its unit. */
const hasAll = (units: readonly IscsiUnit[], wanted: readonly number[]): boolean =>
  wanted.every((lun) => units.some((unit) => unit.lun === lun && unit.disk !== null))

/**
 * Reads the disk's first block past the page cache, in a child that can be killed. @returns null when that went well, else
 * the tool's words. @throws StuckError past the time.
 */
export async function readingFault(run: Run, disk: string, limits: ProbeLimits): Promise<string | null> {
  const args = [`if=/dev/${disk}`, 'of=/dev/null', 'bs=4096', 'count=1', 'iflag=direct', 'status=none']
  const options = { deadlineMs: limits.timeoutMs, killAfterMs: 0, signal: limits.signal, maxOutputBytes: 4096 }
  const result = await run('dd', args, options)
  const late = `/dev/${disk} did not answer within ${limits.timeoutMs} ms`
  if (result.outcome === 'unkillable') throw new StuckError(late, result.ended)
  if (result.outcome === 'timed-out') throw new StuckError(late, Promise.resolve())
  return result.outcome === 'exited' && result.code === 0 ? null : wordsOf(result)
}
