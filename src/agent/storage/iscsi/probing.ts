import type { Fault } from '../../../wire/session.js'
import type { StorageOptions } from '../../../wire/storage/arguments.js'
import { faultOf } from '../../fault.js'
import type { Run } from '../../host/run.js'
import { Slots } from '../../slots.js'
import type { ProbeLimits, ProbeResult } from '../driver.js'
import { sessionFailed, unitMissing } from './faults.js'
import type { IscsiSession, IscsiUnit } from './sessions.js'
import { readingFault, type UnitSearch, unitsWith } from './units.js'

const READS_AT_ONCE = 8

export interface Probing extends UnitSearch {
  readonly run: Run
}

/** What a session's state means, other than that it works. */
const troubles: Readonly<Record<string, (session: IscsiSession) => ProbeResult>> = {
  FAILED: (session) => {
    const { replacementTimeoutS: limitS } = session
    const forHowLong = limitS === null || limitS < 0 ? '' : `, ${limitS} s at the longest`
    const words = `has lost its connection; input and output wait for it to come back${forHowLong}`
    return { seen: 'degraded', fault: faultIn(session, words) }
  },
  FREE: (session) => {
    const words =
      'has lost its connection, which did not come back within its replacement timeout; input and output fail'
    return { seen: 'down', fault: faultIn(session, words) }
  },
}

export function probeSession(session: IscsiSession, limits: ProbeLimits, probing: Probing): Promise<ProbeResult> {
  if (session.state === 'LOGGED_IN') return probeUnits(session, limits, probing)
  const trouble = troubles[session.state]?.(session)
  return Promise.resolve(trouble ?? { seen: 'degraded', fault: faultIn(session, 'is in an unknown state') })
}

/** Each unit that an id names is read; where none is named, the first disk stands for the session. */
async function probeUnits(session: IscsiSession, limits: ProbeLimits, probing: Probing): Promise<ProbeResult> {
  const wanted = [...new Set(limits.own.flatMap((own) => lunOf(own) ?? []))]
  const units = await unitsWith(wanted, session.sid, probing)
  if (wanted.length === 0) {
    const first = units.find(({ disk }) => disk !== null)
    const fault = first === undefined ? null : await unitFault(session, first.lun, units, limits, probing.run)
    return fault === null ? { seen: 'up' } : { seen: 'degraded', fault }
  }
  const slots = new Slots(READS_AT_ONCE)
  const faults = new Map<number, Fault | null>()
  const read = async (lun: number) => {
    await slots.take()
    try {
      faults.set(lun, await unitFault(session, lun, units, limits, probing.run))
    } finally {
      slots.release()
    }
  }
  const ends = await Promise.allSettled(wanted.map(read))
  for (const end of ends) if (end.status === 'rejected') throw end.reason
  return { seen: 'up', lacks: (own) => faults.get(lunOf(own) ?? -1) ?? null }
}

/** @throws StuckError when its disk does not answer in time. */
async function unitFault(
  { name }: IscsiSession,
  lun: number,
  units: readonly IscsiUnit[],
  limits: ProbeLimits,
  run: Run,
): Promise<Fault | null> {
  const unit = units.find((candidate) => candidate.lun === lun)
  if (unit === undefined) return faultOf(unitMissing(`${name} shows no unit ${lun}${shown(units)}`))
  if (unit.disk === null) return faultOf(unitMissing(`unit ${lun} of ${name} is there, and is no disk`))
  const place = `unit ${lun} of ${name} (${unit.disk})`
  if (unit.state !== 'running') return faultOf(unitMissing(`${place} is ${unit.state}`))
  const words = await readingFault(run, unit.disk, limits)
  return words === null ? null : faultOf(unitMissing(`${place} cannot be read: ${words}`))
}

const shown = (units: readonly IscsiUnit[]): string =>
  units.length === 0 ? ', nor any other' : `, but ${units.map(({ lun }) => lun).join(', ')}`

const faultIn = (session: IscsiSession, words: string): Fault =>
  faultOf(sessionFailed(`session ${session.sid} with ${session.name} ${words} (state ${session.state})`))

const lunOf = (own: StorageOptions): number | undefined => (own.lun === undefined ? undefined : Number(own.lun))
