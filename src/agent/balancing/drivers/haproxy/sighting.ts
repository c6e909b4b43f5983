import type { ListenerIntent, LoadBalancerIntent, PoolIntent } from '../../../../wire/balancing/intent.js'
import type { BalancerDetail, ListenerStatistics } from '../../../../wire/balancing/sighting.js'
import type { BalancingStatus } from '../../../../wire/balancing/terms.js'
import type { Fault } from '../../../../wire/session.js'
import { makeFault } from '../../../fault.js'
import type { Sighting } from '../../driver.js'
import { poolOfBackend } from './backends.js'
import { monitorOf } from './monitor.js'
import type { StatRow } from './stat.js'

const usable: readonly BalancingStatus[] = ['ONLINE', 'NO_MONITOR']

/** What one round of `show stat` says of a balancer, in the field's words. */
export function sightingOf(
  balancer: LoadBalancerIntent,
  rows: readonly StatRow[],
  statistics: Readonly<Record<string, ListenerStatistics>>,
): Sighting {
  const frontends = new Map(rows.filter(({ svname }) => svname === 'FRONTEND').map((row) => [row.pxname!, row]))
  const servers = new Map(rows.map((row) => [`${poolOfBackend(row.pxname!)}/${row.svname}`, row]))
  const statuses: Record<string, BalancingStatus> = {}
  const faults: Fault[] = []
  for (const pool of balancer.pools) {
    const members = pool.members.map((member) => {
      const row = servers.get(`${pool.id}/${member.id}`)
      const status = memberStatus(row, member.draining || member.weight === 0)
      statuses[member.id] = status
      return { id: member.id, status, row }
    })
    const status = poolStatus(
      pool,
      members.map((member) => member.status),
    )
    statuses[pool.id] = status
    const failed = members.find((member) => member.status === 'ERROR')
    if (status === 'ERROR' && failed) faults.push(failedPool(pool.id, failed.id, failed.row))
  }
  for (const listener of balancer.listeners) {
    statuses[listener.id] = listenerStatus(listener, balancer, frontends.get(listener.id))
  }
  const status = wholeStatus(balancer, statuses)
  return { status, fault: faults[0] ?? null, detail: { statuses, statistics } satisfies BalancerDetail }
}

/** Unproven, which HAProxy shows as NOLB, is not yet in use: offline, as a member that the field has just been told of. */
function memberStatus(row: StatRow | undefined, drained: boolean): BalancingStatus {
  const seen = row?.status ?? ''
  if (seen.startsWith('DOWN')) return 'ERROR'
  if (seen.startsWith('MAINT') || seen.startsWith('NOLB') || seen === '') return 'OFFLINE'
  if (drained || seen.startsWith('DRAIN')) return 'DRAINING'
  return seen.startsWith('no check') ? 'NO_MONITOR' : 'ONLINE'
}

function poolStatus(pool: PoolIntent, members: readonly BalancingStatus[]): BalancingStatus {
  if (!pool.adminStateUp) return 'OFFLINE'
  const hasDown = members.includes('ERROR')
  if (members.some((status) => usable.includes(status))) return hasDown ? 'DEGRADED' : 'ONLINE'
  if (hasDown) return 'ERROR'
  if (members.includes('DRAINING')) return 'DRAINING'
  if (members.length > 0) return 'OFFLINE'
  return monitorOf(pool) === null ? 'NO_MONITOR' : 'ONLINE'
}

function listenerStatus(
  listener: ListenerIntent,
  balancer: LoadBalancerIntent,
  row: StatRow | undefined,
): BalancingStatus {
  if (!listener.adminStateUp || !balancer.adminStateUp) return 'OFFLINE'
  if (row === undefined || row.status === 'STOP') return 'ERROR'
  const full = row.status === 'FULL' || (listener.connectionLimit > 0 && Number(row.scur) >= listener.connectionLimit)
  return full ? 'DEGRADED' : 'ONLINE'
}

/** A pool that is down makes the balancer ERROR; whatever is less than whole, DEGRADED. */
function wholeStatus(
  { adminStateUp, listeners, pools }: LoadBalancerIntent,
  statuses: Readonly<Record<string, BalancingStatus>>,
): BalancingStatus {
  if (!adminStateUp) return 'OFFLINE'
  const seen = [...listeners, ...pools].map(({ id }) => statuses[id]!)
  if (seen.includes('ERROR')) return 'ERROR'
  return seen.includes('DEGRADED') ? 'DEGRADED' : 'ONLINE'
}

const failedPool = (pool: string, member: string, row: StatRow | undefined): Fault =>
  makeFault(
    'members-down',
    `no member of pool ${pool} is up; ${member}: ${[row?.check_desc || row?.check_status, row?.last_chk].filter(Boolean).join(', ')}`,
  )
