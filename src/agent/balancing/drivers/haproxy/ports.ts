import { createServer } from 'node:net'
import { FaultError } from '../../../fault.js'
import type { VipPlace } from '../../../networks/vip-place.js'

const BIND = /^ {4}bind (?:ipv[46]@)\[?([^\]\s]+?)\]?:(\d+)(?=\s|$)/gm

/**
 * On the host's own addresses others may listen: a reload that cannot have a port stops traffic for as long as HAProxy tries,
 * hence it is tried before. In a namespace of its own there is nobody else, and the VIP need not even be up.
 */
export async function refuseTakenPorts({ namespace }: VipPlace, before: string, config: string): Promise<void> {
  if (namespace !== null) return
  const held = new Set(endpointsOf(before))
  for (const endpoint of endpointsOf(config)) {
    if (held.has(endpoint)) continue
    const code = await tryPort(endpoint)
    if (code !== null) throw new FaultError('refused', `cannot listen on ${endpoint.replace(' ', ' port ')}: ${code}`)
  }
}

const endpointsOf = (config: string): string[] => [...config.matchAll(BIND)].map(([, host, port]) => `${host} ${port}`)

/** What the kernel says; null: the port may be had. */
function tryPort(endpoint: string): Promise<string | null> {
  const [host, port] = endpoint.split(' ')
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    server.listen({ host, port: Number(port), exclusive: true }, () => server.close(() => resolve(null)))
  })
}
