import type { Fault } from '../../../wire/session.js'
import { faultOf } from '../../fault.js'
import type { Run } from '../../host/run.js'
import { notPermitted, unsupported } from '../faults.js'
import { names } from './sessions.js'

const LOOK_MS = 5000
const MODULE = 'iscsi_tcp'

/**
 * What this host lacks for iSCSI. That iscsid does not run is none: it may be started, and iscsiadm starts it by itself
 * where systemd listens for it; a login says so where it cannot.
 */
export async function iscsiObstacle(run: Run, sysRoot: string, isRoot: boolean): Promise<Fault | null> {
  if (!isRoot) return faultOf(notPermitted('iSCSI needs root, and this agent runs without'))
  for (const program of ['iscsiadm', 'iscsid']) {
    const result = await run(program, ['--version'], { deadlineMs: LOOK_MS })
    if (result.outcome !== 'not-started') continue
    return faultOf(unsupported(`this host has no ${program}: Debian's package is open-iscsi (${result.error.message})`))
  }
  if ((await names(`${sysRoot}/module`)).includes(MODULE)) return null
  const result = await run('modprobe', ['--dry-run', '--quiet', MODULE], { deadlineMs: LOOK_MS })
  if (result.outcome === 'exited' && result.code === 0) return null
  return faultOf(unsupported(`this host's kernel has no module ${MODULE}`))
}
