import { createReadStream } from 'node:fs'
import ipaddr from 'ipaddr.js'
import type { LoadBalancerIntent } from '../../../../wire/balancing/intent.js'
import type { ListenerStatistics } from '../../../../wire/balancing/sighting.js'

/** More lines than this are not looked at: a host's table has one for each of its connections. */
const MAX_LINES = 100_000
const ESTABLISHED = '01'

/**
 * How many connections each listener has now, by its id: read from the table of sockets of the process's network namespace. What
 * has been is counted by nobody: nginx has no counters for a listener.
 */
export async function listenerStatistics(
  pid: number,
  { listeners, vip }: LoadBalancerIntent,
): Promise<Record<string, ListenerStatistics>> {
  const table = vip.address.includes(':') ? 'tcp6' : 'tcp'
  const counts = await connectionsByPort(`/proc/${pid}/net/${table}`, kernelAddress(vip.address))
  return Object.fromEntries(
    listeners.map(({ id, port, protocol }) => [
      id,
      {
        activeConnections: protocol === 'UDP' ? 0 : (counts.get(port) ?? 0),
        totalConnections: 0,
        bytesIn: 0,
        bytesOut: 0,
        requestErrors: 0,
      },
    ]),
  )
}

async function connectionsByPort(path: string, address: string): Promise<Map<number, number>> {
  const counts = new Map<number, number>()
  let rest = ''
  let seen = 0
  try {
    // the whole of it is never in memory; an error, as of a process that has gone, ends the loop by being thrown
    for await (const chunk of createReadStream(path, 'latin1')) {
      const lines = `${rest}${String(chunk)}`.split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) count(line, address, counts)
      seen += lines.length
      if (seen > MAX_LINES) break
    }
  } catch {
    return counts
  }
  return counts
}

function count(line: string, address: string, counts: Map<number, number>): void {
  const [, local = '', , state] = line.trim().split(/\s+/)
  const [host, port = ''] = local.split(':')
  if (state !== ESTABLISHED || host !== address) return
  const number = Number.parseInt(port, 16)
  counts.set(number, (counts.get(number) ?? 0) + 1)
}

/** As the kernel writes it: words of four bytes, each in the machine's own order. */
export function kernelAddress(address: string): string {
  const bytes = Buffer.from(ipaddr.parse(address).toByteArray())
  const words = Array.from({ length: bytes.length / 4 }, (_, at) => bytes.subarray(at * 4, at * 4 + 4))
  return words.map((word) => Buffer.from(word).reverse().toString('hex').toUpperCase()).join('')
}
