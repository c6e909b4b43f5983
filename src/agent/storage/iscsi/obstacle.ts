import { join } from 'node:path'
import type { Fault } from '../../../wire/session.js'
import { faultOf } from '../../fault.js'
import { missingOf } from '../../host/needs.js'
import type { Run } from '../../host/run.js'
import { notPermitted, unsupported } from '../faults.js'
import { names } from './sessions.js'

const LOOK_MS = 3000
const MODULE = 'iscsi_tcp'
const programs = {
  iscsiadm: 'open-iscsi',
  iscsid: 'open-iscsi',
  blockdev: 'util-linux',
  dd: 'coreutils',
  find: 'findutils',
}

export interface IscsiNeeds {
  readonly run: Run
  readonly sysRoot: string
  readonly isRoot: boolean
  /** Where programs are looked for. */
  readonly path?: string
}

/**
 * What this host lacks for iSCSI. That iscsid does not run is none: it may be started, and iscsiadm starts it by itself
 * where systemd listens for it; a login says so where it cannot.
 */
export async function iscsiObstacle({ run, sysRoot, isRoot, path }: IscsiNeeds): Promise<Fault | null> {
  if (!isRoot) return faultOf(notPermitted('iSCSI needs root, and this agent runs without'))
  const missing = await missingOf({ programs }, run, path)
  if (missing !== null) return faultOf(unsupported(missing))
  if ((await names(join(sysRoot, 'module'))).includes(MODULE)) return null
  const result = await run('modprobe', ['-n', '-q', MODULE], { deadlineMs: LOOK_MS, killAfterMs: 100 })
  if (result.outcome === 'exited' && result.code === 0) return null
  return faultOf(unsupported(`the kernel has no iSCSI over TCP, and no module ${MODULE}`))
}
