import { type FaultError, faultOf } from '../agent/fault.js'
import type { ProbeResult, StorageDrivers, StorageOptions } from '../agent/storage/driver.js'
import { badArguments, connectFailed, mountFailed, StuckError } from '../agent/storage/faults.js'
import { mountOptions } from '../agent/storage/mount-options.js'
import type { StorageScheme, StorageUri } from '../agent/storage/uri.js'

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

interface SchemeRules {
  readonly failed: (message: string) => FaultError
  readonly checkOptions: (options: StorageOptions) => void
  /** False: it is used where it is, and the kernel knows nothing of it. */
  readonly mounted: boolean
}

const rules: { readonly [S in StorageScheme]: SchemeRules } = {
  local: {
    failed: connectFailed,
    mounted: false,
    checkOptions: (options) => {
      if (Object.keys(options).length > 0) throw badArguments('local: takes no options')
    },
  },
  posix: { failed: mountFailed, mounted: true, checkOptions: (options) => void mountOptions(options) },
}

/** The steps of the real drivers without their effects: every path is there, and mounts are names in a set. */
export function simulatedDrivers(options: SimulatedDriverOptions): StorageDrivers {
  return { local: driverOf(rules.local, options), posix: driverOf(rules.posix, options) }
}

/** Takes a URI of any scheme, and thus is a driver of each. */
function driverOf({ failed, checkOptions, mounted }: SchemeRules, { mounts, outageOf }: SimulatedDriverOptions) {
  const outageOn = ({ target }: StorageUri): Outage | null => {
    const outage = outageOf(target)
    if (outage?.status === 'STUCK') throw new StuckError(outage.message, outage.over)
    return outage
  }

  return {
    obstacle: () => null,
    checkOptions,
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
      return { seen: 'lost', fault: faultOf(mountFailed(`${uri.path} is no longer mounted`)) }
    },
  }
}

function seenIn({ status }: Outage, mounted: boolean): 'degraded' | 'down' | 'lost' {
  if (status === 'DEGRADED') return 'degraded'
  return mounted ? 'down' : 'lost'
}
