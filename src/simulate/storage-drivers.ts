import { type FaultError, faultOf } from '../agent/fault.js'
import type { ProbeResult, StorageDrivers } from '../agent/storage/driver.js'
import { connectFailed, mountFailed, StuckError } from '../agent/storage/faults.js'
import type { StorageScheme, StorageUri } from '../wire/storage/uri.js'

/** What stands in the way of a target, by scenario. */
export interface Outage {
  readonly status: 'DOWN' | 'DEGRADED' | 'STUCK'
  readonly message: string
  /** Resolves when it is over. */
  readonly over: Promise<void>
}

/** What a host's kernel has connected: kept over the end of the agent's process, lost with a reboot. */
export type SimulatedMounts = Set<string>

export interface SimulatedDriverOptions {
  readonly mounts: SimulatedMounts
  /** Null while the target is in order. */
  readonly outageOf: (target: string) => Outage | null
}

interface Behaviour {
  readonly failed: (message: string) => FaultError
  /** False: it is used where it is, and the kernel knows nothing of it. */
  readonly mounted: boolean
}

const mount: Behaviour = { failed: mountFailed, mounted: true }

const behaviours: { readonly [S in StorageScheme]: Behaviour } = {
  ceph: mount,
  glusterfs: mount,
  iscsi: { failed: connectFailed, mounted: true },
  local: { failed: connectFailed, mounted: false },
  nfs: mount,
  posix: mount,
}

/** The steps of the real drivers without their effects: every target is there, and mounts are names in a set. */
export function simulatedDrivers(options: SimulatedDriverOptions): StorageDrivers {
  const driver = (scheme: StorageScheme) => driverOf(behaviours[scheme], options)
  return {
    ceph: driver('ceph'),
    glusterfs: driver('glusterfs'),
    iscsi: driver('iscsi'),
    local: driver('local'),
    nfs: driver('nfs'),
    posix: driver('posix'),
  }
}

/** Takes a URI of any scheme, and thus is a driver of each. */
function driverOf({ failed, mounted }: Behaviour, { mounts, outageOf }: SimulatedDriverOptions) {
  const outageOn = ({ target }: StorageUri): Outage | null => {
    const outage = outageOf(target)
    if (outage?.status === 'STUCK') throw new StuckError(outage.message, outage.over)
    return outage
  }

  return {
    obstacle: async () => null,
    isConnected: async ({ target }: StorageUri) => mounts.has(target),
    // its kernel shows nothing that nobody asked for
    recognises: () => null,
    connect: async (uri: StorageUri) => {
      const outage = outageOn(uri)
      if (outage?.status === 'DOWN') throw failed(outage.message)
      if (mounted) mounts.add(uri.target)
    },
    disconnect: async ({ target }: StorageUri) => void mounts.delete(target),
    probe: async (uri: StorageUri): Promise<ProbeResult> => {
      const outage = outageOn(uri)
      if (outage !== null) return { seen: seenIn(outage, mounted), fault: faultOf(failed(outage.message)) }
      if (!mounted || mounts.has(uri.target)) return { seen: 'up' }
      return { seen: 'lost', fault: faultOf(mountFailed(`${uri.target} is no longer mounted`)) }
    },
  }
}

function seenIn({ status }: Outage, mounted: boolean): 'degraded' | 'down' | 'lost' {
  if (status === 'DEGRADED') return 'degraded'
  return mounted ? 'down' : 'lost'
}
