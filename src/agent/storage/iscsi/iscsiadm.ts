import { type Run, wordsOf } from '../../host/run.js'
import { StuckError } from '../faults.js'
import { faultOfExit, type IscsiStep, setupFailed, timedOut } from './faults.js'
import { type Portal, portalText } from './portal.js'

/**
 * The initiator interface that all of this agent's logins go through. It is bound to no card or address, as iscsiadm's own
 * `default` is, but records and sessions under it are known for ours, and nobody else's are touched.
 */
export const IFACE = 'keelson'

/** iscsiadm(8), EXIT STATUS. */
export const exits = { done: 0, sessionNotFound: 2, sessionExists: 15, nothingFound: 21, sysfsLookup: 22 } as const

/** A lock that a killed iscsiadm left behind holds up the next one for 30 s, which then goes on. */
const DEADLINE_MS = 90_000

export interface Iscsiadm {
  /** Of iscsid.conf's defaults. iscsiadm makes it whether or not iscsid answers. */
  addRecord(portal: Portal): Promise<void>
  addInterface(): Promise<void>
  /** A session that is there already is what is wanted. */
  login(portal: Portal): Promise<void>
  /** A session that is gone already, too. */
  logout(sid: number): Promise<void>
  rescan(sid: number, deadlineMs: number): Promise<void>
}

/** iscsiadm by argv; nothing in it is secret. Each call throws `FaultError` in the tool's words. */
export function createIscsiadm(run: Run, deadlineMs = DEADLINE_MS): Iscsiadm {
  const call = async (step: IscsiStep, args: readonly string[], fine: readonly number[], limitMs = deadlineMs) => {
    const result = await run('iscsiadm', args, { deadlineMs: limitMs })
    const words = wordsOf(result)
    if (result.outcome === 'unkillable') throw new StuckError(`iscsiadm ${words}`, result.ended)
    if (result.outcome === 'timed-out') throw timedOut(step, `iscsiadm was ${words}`)
    if (result.outcome !== 'exited') throw setupFailed(`iscsiadm: ${words}`)
    if (!fine.includes(result.code)) throw faultOfExit(step, result.code, words)
  }
  const record = (portal: Portal) => [
    ...['-m', 'node', '-T', portal.name, '-p', `${portalText(portal)},${portal.portalGroup}`, '-I', IFACE],
  ]
  return {
    addRecord: (portal) => call('setup', [...record(portal), '-o', 'new'], [exits.done]),
    addInterface: () => call('interface', ['-m', 'iface', '-I', IFACE, '-o', 'new'], [exits.done]),
    login: (portal) => call('login', [...record(portal), '--login'], [exits.done, exits.sessionExists]),
    logout: (sid) => call('logout', ['-m', 'session', '-r', `${sid}`, '--logout'], goneIsFine),
    rescan: (sid, limitMs) => call('setup', ['-m', 'session', '-r', `${sid}`, '--rescan'], goneIsFine, limitMs),
  }
}

const goneIsFine = [exits.done, exits.sessionNotFound, exits.nothingFound, exits.sysfsLookup]
