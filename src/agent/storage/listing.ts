import { type Run, run as runProgram, wordsOf } from '../host/run.js'
import type { ProbeLimits } from './driver.js'
import { StuckError } from './faults.js'
import { Listers } from './listers.js'

const listers = new Listers()

/**
 * Lists the first entry of a directory in a child that can be killed. `/.` makes find refuse what is no directory.
 * @returns null when that went well, else the tool's words. @throws StuckError past the time.
 */
export async function listingFault(run: Run, directory: string, limits: ProbeLimits): Promise<string | null> {
  // a child that is kept does what is done again and again; the tool is for its words, and for hosts that are played
  if (run === runProgram && (await listers.look(directory, limits))) return null
  const args = [`${directory}/.`, '-mindepth', '1', '-maxdepth', '1', '-print', '-quit']
  const options = { deadlineMs: limits.timeoutMs, killAfterMs: 0, signal: limits.signal, maxOutputBytes: 4096 }
  const result = await run('find', args, options)
  const late = `${directory} did not answer within ${limits.timeoutMs} ms`
  if (result.outcome === 'unkillable') throw new StuckError(late, result.ended)
  if (result.outcome === 'timed-out') throw new StuckError(late, Promise.resolve())
  return result.outcome === 'exited' && result.code === 0 ? null : wordsOf(result)
}
