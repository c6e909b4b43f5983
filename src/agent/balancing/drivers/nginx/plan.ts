import type { ListenerIntent, LoadBalancerIntent, PoolIntent } from '../../../../wire/balancing/intent.js'
import type { ServedCertificate } from './certificates.js'
import { inUse, type SeenWell } from './servers.js'

/** All that a configuration is made of. */
export interface NginxPlan {
  readonly balancer: LoadBalancerIntent
  readonly seenWell: SeenWell
  /** Where its files are. */
  readonly directory: string
  /** Where its own listeners are opened: the VIP. */
  readonly listenAddress: string
  /** The file of the module that carries TCP and UDP. */
  readonly streamModule: string
  /** By id. */
  readonly certificates: ReadonlyMap<string, ServedCertificate>
}

const httpProtocols: readonly string[] = ['HTTP', 'TERMINATED_HTTPS']

export const isHttp = ({ protocol }: ListenerIntent): boolean => httpProtocols.includes(protocol)

export const poolOf = ({ balancer }: Pick<NginxPlan, 'balancer'>, poolId: string | null): PoolIntent | null =>
  balancer.pools.find(({ id }) => id === poolId) ?? null

/**
 * Those whose ports are open. Who passes on what comes has no way to say that nobody is there: its port is closed, and a client
 * is refused at once.
 */
export function openListeners(plan: Pick<NginxPlan, 'balancer' | 'seenWell'>): readonly ListenerIntent[] {
  const { balancer, seenWell } = plan
  return balancer.listeners.filter((listener) => {
    if (!balancer.adminStateUp || !listener.adminStateUp) return false
    if (isHttp(listener)) return true
    const pool = poolOf(plan, listener.defaultPoolId)
    return pool !== null && listener.connectionLimit !== 0 && inUse(pool, seenWell).length > 0
  })
}

/** Upstreams of HTTP and of streams may not share the name of a zone. */
export const httpUpstream = (poolId: string): string => `http_${poolId}`
export const streamUpstream = (poolId: string): string => `stream_${poolId}`
export const zoneOf = ({ id }: ListenerIntent): string => `limit_${id}`
