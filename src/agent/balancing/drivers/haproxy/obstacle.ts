import type { Fault } from '../../../../wire/session.js'
import { makeFault } from '../../../fault.js'
import { missingOf } from '../../../host/needs.js'
import type { Run } from '../../../host/run.js'
import { PROGRAM } from './process.js'

const OLDEST = [2, 4] as const
const VERSION_MS = 3000

/** What of this host stands in the way. The version of a program that was good once is not asked again. */
export function haproxyObstacle(run: Run): () => Promise<Fault | null> {
  let isGood = false
  return async () => {
    const missing = await missingOf({ programs: { [PROGRAM]: PROGRAM } }, run)
    if (missing !== null) {
      isGood = false
      return makeFault('unsupported', missing)
    }
    if (isGood) return null
    const result = await run(PROGRAM, ['-v'], { deadlineMs: VERSION_MS })
    const version = result.outcome === 'exited' ? /version (\d+)\.(\d+)/.exec(result.stdout) : null
    const [major, minor] = [Number(version?.[1] ?? 0), Number(version?.[2] ?? 0)]
    isGood = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
    return isGood
      ? null
      : makeFault('unsupported', `haproxy ${major}.${minor} is older than ${OLDEST.join('.')} (Debian: ${PROGRAM})`)
  }
}
