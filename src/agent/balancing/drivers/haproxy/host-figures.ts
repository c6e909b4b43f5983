import { readFile } from 'node:fs/promises'
import type { HostFigures } from './render.js'

const ACCOUNT = 'haproxy'
const MOST = 50_000
/** Of a process of HAProxy: listeners, checks, pipes and sockets of its own. */
const OWN_DESCRIPTORS = 2_500

/** Each connection takes two descriptors; what the host allows one process is seen before haproxy fails by it. */
export async function readHostFigures(): Promise<HostFigures> {
  const limits = await readFile('/proc/self/limits', 'utf8')
  const hard = /^Max open files\s+\S+\s+(\S+)/m.exec(limits)?.[1]
  const descriptors = hard === undefined || hard === 'unlimited' ? Number.POSITIVE_INFINITY : Number(hard)
  const maxConnections = Math.max(100, Math.min(MOST, Math.floor((descriptors - OWN_DESCRIPTORS) / 2)))
  const isRoot = process.getuid?.() === 0
  const accounts = isRoot ? await readFile('/etc/passwd', 'utf8').catch(() => '') : ''
  return {
    maxConnections,
    account: accounts.split('\n').some((line) => line.startsWith(`${ACCOUNT}:`)) ? ACCOUNT : null,
  }
}
