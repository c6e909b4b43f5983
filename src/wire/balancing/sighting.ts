import type { BalancingStatus } from './terms.js'

/** Counted since the balancer was made on its device; bytes as clients see them. */
export interface ListenerStatistics {
  readonly activeConnections: number
  readonly totalConnections: number
  readonly bytesIn: number
  readonly bytesOut: number
  readonly requestErrors: number
}

/**
 * The `detail` of a balancer's observation: what is seen of its parts, by id. One that is not there is as its parent
 * says. Sent when a status has changed, and for statistics no more often than every few seconds.
 */
export interface BalancerDetail {
  readonly statuses: Readonly<Record<string, BalancingStatus>>
  readonly statistics: Readonly<Record<string, ListenerStatistics>>
}
