import type { ListenerStatistics } from '../../../../wire/balancing/sighting.js'
import type { StatRow } from './stat.js'

type ByListener = Readonly<Record<string, ListenerStatistics>>

/** Counters of HAProxy begin anew with each of its workers: those that have gone are kept beside it. */
export interface Totals {
  /** Whose counters `last` are. */
  readonly worker: number
  /** What all workers before it had counted. */
  readonly before: ByListener
  readonly last: ByListener
}

export const noTotals: Totals = { worker: 0, before: {}, last: {} }

/** What is known once the counters of that worker have been read. */
export function countedOn(totals: Totals, worker: number, rows: readonly StatRow[]): Totals {
  const last = countersOf(rows)
  return totals.worker === worker ? { ...totals, last } : { worker, before: sumOf(totals.before, totals.last), last }
}

/** For those that are listeners still. */
export function statisticsOf({ before, last }: Totals, listenerIds: readonly string[]): ByListener {
  const sum = sumOf(before, last)
  return Object.fromEntries(
    listenerIds.map((id) => [id, { ...(sum[id] ?? none), activeConnections: last[id]?.activeConnections ?? 0 }]),
  )
}

const none: ListenerStatistics = {
  activeConnections: 0,
  totalConnections: 0,
  bytesIn: 0,
  bytesOut: 0,
  requestErrors: 0,
}

const countersOf = (rows: readonly StatRow[]): ByListener =>
  Object.fromEntries(
    rows
      .filter(({ svname }) => svname === 'FRONTEND')
      .map(({ pxname, scur, stot, bin, bout, ereq }) => [
        pxname!,
        {
          activeConnections: Number(scur),
          totalConnections: Number(stot),
          bytesIn: Number(bin),
          bytesOut: Number(bout),
          requestErrors: Number(ereq),
        },
      ]),
  )

function sumOf(one: ByListener, other: ByListener): ByListener {
  const ids = new Set([...Object.keys(one), ...Object.keys(other)])
  return Object.fromEntries(
    [...ids].map((id) => {
      const [a, b] = [one[id] ?? none, other[id] ?? none]
      return [
        id,
        {
          activeConnections: 0,
          totalConnections: a.totalConnections + b.totalConnections,
          bytesIn: a.bytesIn + b.bytesIn,
          bytesOut: a.bytesOut + b.bytesOut,
          requestErrors: a.requestErrors + b.requestErrors,
        },
      ]
    }),
  )
}
