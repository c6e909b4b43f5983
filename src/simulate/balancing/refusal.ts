import type { WantedBalancer } from '../../agent/balancing/driver.js'
import type { ListenerIntent, LoadBalancerIntent } from '../../wire/balancing/intent.js'

/** What a device would say no with, in its words; null: it takes it. */
export function deviceRefusal(wanted: WantedBalancer, others: readonly LoadBalancerIntent[]): string | null {
  const { balancer } = wanted
  return portTaken(balancer, others) ?? missingPool(balancer) ?? missingKey(wanted) ?? memberTwice(balancer)
}

/** TCP and UDP have ports of their own. */
const socketOf = (address: string, { protocol, port }: ListenerIntent): string =>
  `${protocol === 'UDP' || protocol === 'SCTP' ? protocol.toLowerCase() : 'tcp'} ${address}:${port}`

function portTaken(balancer: LoadBalancerIntent, others: readonly LoadBalancerIntent[]): string | null {
  const taken = new Set(others.flatMap(socketsOf))
  for (const socket of socketsOf(balancer)) {
    if (taken.has(socket)) return `cannot bind socket ${socket}: address already in use`
    taken.add(socket)
  }
  return null
}

const socketsOf = ({ adminStateUp, vip, listeners }: LoadBalancerIntent): string[] =>
  adminStateUp
    ? listeners.filter((listener) => listener.adminStateUp).map((listener) => socketOf(vip.address, listener))
    : []

function missingPool({ listeners, pools }: LoadBalancerIntent): string | null {
  const known = new Set(pools.map(({ id }) => id))
  for (const { id, defaultPoolId, policies } of listeners) {
    const missing = [defaultPoolId, ...policies.map(({ redirectPoolId }) => redirectPoolId)].find(
      (pool) => pool && !known.has(pool),
    )
    if (missing) return `listener ${id}: unable to find pool ${missing}`
  }
  return null
}

function missingKey({ balancer, keys }: WantedBalancer): string | null {
  const known = new Set(balancer.certificates.map(({ id }) => id))
  for (const { id, protocol, certificateIds } of balancer.listeners) {
    if (protocol !== 'TERMINATED_HTTPS') continue
    if (certificateIds.length === 0) return `listener ${id}: no certificate`
    const without = certificateIds.find((certificate) => !known.has(certificate) || keys[certificate] === undefined)
    if (without !== undefined) return `listener ${id}: no key for certificate ${without}`
  }
  return null
}

function memberTwice({ pools }: LoadBalancerIntent): string | null {
  for (const { id, members } of pools) {
    const sockets = members.map(({ address, port }) => `${address}:${port}`)
    const twice = sockets.find((socket, index) => sockets.indexOf(socket) !== index)
    if (twice !== undefined) return `pool ${id}: server ${twice} is defined twice`
  }
  return null
}
