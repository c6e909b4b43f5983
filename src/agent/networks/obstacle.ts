import { readFile } from 'node:fs/promises'
import type { Fault } from '../../wire/session.js'
import { makeFault } from '../fault.js'
import { missingOf } from '../host/needs.js'
import type { Run } from '../host/run.js'

const programs = { ip: 'iproute2', sysctl: 'procps' }
const NET_ADMIN = 12n
const SYS_ADMIN = 21n

/** What of this host stands in the way of networks with a bridge, `networks:bridge`; null when nothing does. */
export async function networksObstacle({
  run,
  path,
}: {
  readonly run: Run
  readonly path?: string
}): Promise<Fault | null> {
  if (process.getuid?.() !== 0 || !(await mayMakeNamespaces()))
    return makeFault(
      'permission',
      'bridges and network namespaces need root, and this agent runs without or in a container',
    )
  const missing = await missingOf({ programs }, run, path)
  return missing === null ? null : makeFault('unsupported', missing)
}

/** Root of a container may lack what makes root root. */
async function mayMakeNamespaces(): Promise<boolean> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  return [NET_ADMIN, SYS_ADMIN].every((bit) => ((effective >> bit) & 1n) === 1n)
}
