import { isIP } from 'node:net'
import type {
  ListenerIntent,
  ListenerTimeouts,
  LoadBalancerIntent,
  MemberIntent,
  PoolIntent,
} from '../../../../wire/balancing/intent.js'
import type { Algorithm } from '../../../../wire/balancing/terms.js'
import { monitorOf, renderCheck, renderMonitor } from './monitor.js'
import { argument, endpoint, invalid, notForHaproxy } from './words.js'

const STICKY = '10k'
const defaultTimeouts: ListenerTimeouts = {
  clientDataMs: 50_000,
  memberConnectMs: 5_000,
  memberDataMs: 50_000,
  tcpInspectMs: 0,
}

/** Consistent hashing, so that weights may be changed while it runs. */
const algorithms: Readonly<Record<Algorithm, readonly string[] | null>> = {
  ROUND_ROBIN: ['balance roundrobin'],
  LEAST_CONNECTIONS: ['balance leastconn'],
  SOURCE_IP: ['balance source', 'hash-type consistent'],
  SOURCE_IP_PORT: null,
}

export const isHttp = ({ protocol }: ListenerIntent): boolean => protocol === 'HTTP' || protocol === 'TERMINATED_HTTPS'

/** A pool as one listener uses it: mode and timeouts are the listener's. */
export const backendName = (poolId: string, listenerId: string | null): string =>
  listenerId === null ? poolId : `${poolId}:${listenerId}`

/** The pool and listener of a backend's name. */
export const poolOfBackend = (name: string): string => name.split(':')[0]!

/** Each pool for each open listener that may lead to it; one that none leads to once, so that its members are checked. */
export function renderBackends(balancer: LoadBalancerIntent, listeners: readonly ListenerIntent[]): string[][] {
  return balancer.pools.flatMap((pool) => {
    const users = listeners.filter((listener) => leadsTo(listener).includes(pool.id))
    const asked = users.length > 0 ? users : [null]
    return asked.map((listener) => renderBackend(pool, listener, balancer.vip.address))
  })
}

const leadsTo = ({ defaultPoolId, policies }: ListenerIntent): (string | null | undefined)[] => [
  defaultPoolId,
  ...policies.filter(({ rules }) => rules.length > 0).map(({ redirectPoolId }) => redirectPoolId),
]

function renderBackend(pool: PoolIntent, listener: ListenerIntent | null, vip: string): string[] {
  const http = listener === null ? pool.protocol === 'HTTP' : isHttp(listener)
  const { memberConnectMs, memberDataMs } = listener?.timeouts ?? defaultTimeouts
  const algorithm = algorithms[pool.algorithm]
  if (algorithm === null) throw notForHaproxy(`pool ${pool.id}: ${pool.algorithm} is not supported`)
  const monitor = monitorOf(pool)
  return [
    `backend ${backendName(pool.id, listener?.id ?? null)}`,
    `mode ${http ? 'http' : 'tcp'}`,
    ...algorithm,
    `timeout connect ${memberConnectMs}ms`,
    `timeout server ${memberDataMs}ms`,
    ...renderPersistence(pool, http),
    ...(monitor === null ? [] : renderMonitor(monitor, vip)),
    ...pool.members.map((member) => renderServer(member, pool)),
  ]
}

function renderPersistence({ id, persistence }: PoolIntent, http: boolean): string[] {
  if (!persistence) return []
  if (persistence.type === 'SOURCE_IP') return [`stick-table type ipv6 size ${STICKY}`, 'stick on src']
  if (!http) throw invalid(`pool ${id}: ${persistence.type} needs a listener of HTTP`)
  // of a key, not of names given to servers: one that is added while it runs can have no name
  if (persistence.type === 'HTTP_COOKIE') {
    return [`dynamic-cookie-key ${id}`, 'cookie SRV insert indirect nocache httponly dynamic']
  }
  if (!persistence.cookieName) throw invalid(`pool ${id} names no cookie`)
  const cookie = argument(persistence.cookieName)
  return [
    `stick-table type string len 128 size ${STICKY} expire 3h`,
    `stick store-response res.cook(${cookie})`,
    `stick match req.cook(${cookie})`,
  ]
}

/** The weight comes first and `disabled` last: what `member-changes.ts` reads. */
function renderServer(member: MemberIntent, pool: PoolIntent): string {
  const monitor = monitorOf(pool)
  const { id, address, port, weight, draining, backup } = member
  if (isIP(address) === 0) throw invalid(`member ${id}: ${JSON.stringify(address)} is no address`)
  return [
    `server ${id} ${endpoint(address, port)} weight ${draining ? 0 : weight}`,
    monitor === null ? '' : renderCheck(monitor, member, pool),
    pool.protocol === 'PROXY' ? 'send-proxy' : '',
    pool.protocol === 'PROXYV2' ? 'send-proxy-v2' : '',
    backup ? 'backup' : '',
    member.adminStateUp && pool.adminStateUp ? '' : 'disabled',
  ]
    .filter((part) => part !== '')
    .join(' ')
}
