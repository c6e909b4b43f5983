import { faultOf } from '../../fault.js'
import { type Run, run as runProgram } from '../../host/run.js'
import type { StorageDriver } from '../driver.js'
import { connectFailed } from '../faults.js'
import { listingFault } from '../listing.js'

const CONNECT_MS = 10_000

/** A directory that is used where it is: there is nothing to connect, but it must be there and be listable. */
export function createLocalDriver(run: Run = runProgram): StorageDriver<'local'> {
  return {
    obstacle: async () => null,
    isConnected: async () => false,
    recognises: () => null,
    directory: ({ path }) => path,
    connect: async ({ path }) => {
      const words = await listingFault(run, path, { timeoutMs: CONNECT_MS, signal: neverAborted, own: [] })
      if (words !== null) throw connectFailed(words)
    },
    disconnect: async () => undefined,
    probe: async ({ path }, _options, limits) => {
      const words = await listingFault(run, path, limits)
      return words === null ? { seen: 'up' } : { seen: 'lost', fault: faultOf(connectFailed(words)) }
    },
  }
}

const neverAborted = new AbortController().signal
