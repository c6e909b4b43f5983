import { readFile } from 'node:fs/promises'
import type { Fault } from '../../wire/session.js'
import { makeFault } from '../fault.js'
import { missingOf } from '../host/needs.js'
import type { Run } from '../host/run.js'

const programs = { ip: 'iproute2', sysctl: 'procps' }
const NET_ADMIN = 12n
const SYS_ADMIN = 21n

export interface NetworkNeeds {
  readonly run: Run
  /** Where programs are looked for. */
  readonly path?: string
  readonly isAble?: () => Promise<boolean>
}

/** What of this host stands in the way of networks with a bridge, `networks:bridge`; null when nothing does. */
export async function networksObstacle({ run, path, isAble = mayMakeNamespaces }: NetworkNeeds): Promise<Fault | null> {
  if (!(await isAble()))
    return makeFault('permission', 'bridges and network namespaces need root, and this agent runs with less')
  const missing = await missingOf({ programs }, run, path)
  return missing === null ? null : makeFault('unsupported', missing)
}

/** Root of a container may lack what makes root of it elsewhere. */
async function mayMakeNamespaces(): Promise<boolean> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? '0'}`)
  return [NET_ADMIN, SYS_ADMIN].every((bit) => ((effective >> bit) & 1n) === 1n)
}
