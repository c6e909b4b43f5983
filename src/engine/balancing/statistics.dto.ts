import type { ListenerStatistics } from '../../wire/balancing/sighting.js'
import type { LoadBalancer } from './load-balancer.entity.js'

/** Counted since it was made on its device; bytes as clients see them. */
export class StatisticsView {
  /** @example 12 */
  activeConnections!: number
  /** @example 40213 */
  totalConnections!: number
  /** @example 18230112 */
  bytesIn!: number
  /** @example 920113400 */
  bytesOut!: number
  /** @example 3 */
  requestErrors!: number
}

const none: ListenerStatistics = {
  activeConnections: 0,
  totalConnections: 0,
  bytesIn: 0,
  bytesOut: 0,
  requestErrors: 0,
}

type Counted = Pick<LoadBalancer, 'statistics'>

/** Of one that nothing has been seen of yet: zeros. */
export const viewListenerStatistics = ({ statistics }: Counted, listenerId: string): StatisticsView => ({
  ...none,
  ...statistics[listenerId],
})

/** The sum of its listeners'. */
export const viewStatistics = ({ statistics }: Counted): StatisticsView =>
  Object.values(statistics).reduce(
    (sum, one) => ({
      activeConnections: sum.activeConnections + one.activeConnections,
      totalConnections: sum.totalConnections + one.totalConnections,
      bytesIn: sum.bytesIn + one.bytesIn,
      bytesOut: sum.bytesOut + one.bytesOut,
      requestErrors: sum.requestErrors + one.requestErrors,
    }),
    none,
  )
