import { type Run, wordsOf } from '../../host/run.js'
import type { Grip } from '../driver.js'
import { disconnectFailed, StuckError } from '../faults.js'
import { stackOn, userOf } from './disk-users.js'
import { logoutFailed } from './faults.js'
import type { Iscsiadm } from './iscsiadm.js'
import { type IscsiSession, readSessions, readUnits } from './sessions.js'

const FLUSH_MS = 60_000

export interface LettingGo {
  readonly run: Run
  readonly sysRoot: string
  readonly iscsiadm: Iscsiadm
}

/**
 * Flushes and logs out. Gently, a disk that is used stays. Without a connection there is nothing to flush to, and waiting
 * for it would hang.
 */
export async function letGoOf(session: IscsiSession, grip: Grip, { run, sysRoot, iscsiadm }: LettingGo): Promise<void> {
  const disks = (await readUnits(sysRoot, session.sid)).flatMap(({ disk }) => disk ?? [])
  const stack = await stackOn(sysRoot, disks)
  const user = grip === 'gently' ? await userOf(stack, run) : null
  if (user !== null) throw disconnectFailed(`${session.name} is in use: ${user}`)
  if (grip !== 'lazily' && session.state === 'LOGGED_IN') {
    const flushes = [
      ...stack.maps.map(({ mapName }) => ['multipath', '-f', mapName] as const),
      ...disks.map((disk) => ['blockdev', '--flushbufs', `/dev/${disk}`] as const),
    ]
    for (const [program, ...args] of flushes) await flush(run, program, args, grip)
  }
  await iscsiadm.logout(session.sid)
  const left = (await readSessions(sysRoot)).some(({ sid }) => sid === session.sid)
  if (left) throw logoutFailed(`session ${session.sid} with ${session.name} is still there after its logout`)
}

async function flush(run: Run, program: string, args: readonly string[], grip: Grip): Promise<void> {
  const result = await run(program, args, { deadlineMs: FLUSH_MS })
  if (result.outcome === 'unkillable') throw new StuckError(`${program} ${wordsOf(result)}`, result.ended)
  const went = result.outcome === 'exited' && result.code === 0
  if (!went && grip === 'gently') throw disconnectFailed(`${program} ${args.join(' ')}: ${wordsOf(result)}`)
}
