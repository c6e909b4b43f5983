import type { StorageScheme } from '../../../wire/storage/uri.js'
import { faultOf } from '../../fault.js'
import type { StorageDriver } from '../driver.js'
import { unsupported } from '../faults.js'

/** Of a scheme that this agent knows and cannot serve: whoever asks is told so. */
export function createAbsentDriver<S extends StorageScheme>(scheme: S): StorageDriver<S> {
  const missing = unsupported(`this agent has no driver for ${scheme}`)
  const refuse = async () => {
    throw missing
  }
  return {
    obstacle: async () => faultOf(missing),
    isConnected: async () => false,
    recognises: () => null,
    connect: refuse,
    disconnect: refuse,
    probe: refuse,
  }
}
