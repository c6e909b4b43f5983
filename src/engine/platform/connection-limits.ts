import type { Server } from 'node:http'
import type { Socket } from 'node:net'
import { type IpAddress, parseIp } from '../../config/network.js'
import { networkOf } from './client-address.js'

const MOST = 10_000
const MOST_EACH = 2_000

export interface ConnectionLimits {
  readonly isTrustedProxy: (address: IpAddress) => boolean
  readonly most?: number
  /** Of one address: nobody takes up the room of all. */
  readonly mostEach?: number
}

/** Bounds the connections of a server, all of them and those of one address; proxies speak for many. */
export function limitConnections(
  server: Server,
  { isTrustedProxy, most = MOST, mostEach = MOST_EACH }: ConnectionLimits,
): void {
  const open = new Map<string, number>()
  server.maxConnections = most
  server.on('connection', (socket: Socket) => {
    const address = parseIp((socket.remoteAddress ?? '').replace(/%.*$/, ''))
    if (address === undefined || isTrustedProxy(address)) return
    const network = networkOf(address.toString())
    const count = (open.get(network) ?? 0) + 1
    if (count > mostEach) {
      socket.destroy()
      return
    }
    open.set(network, count)
    socket.once('close', () => {
      const left = (open.get(network) ?? 1) - 1
      if (left > 0) open.set(network, left)
      else open.delete(network)
    })
  })
}
