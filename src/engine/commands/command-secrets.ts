import { commandSecrets, sealedPlace } from '../platform/sealed-columns.js'
import { SealBroken, type Sealer } from '../platform/sealing.js'

/** What is secret of a command's payload, as the queue holds it. */
export function sealSecrets(sealer: Sealer, commandId: string, secrets: object | undefined): string | null {
  if (secrets === undefined) return null
  return sealer.seal(JSON.stringify(secrets), sealedPlace(commandSecrets, [commandId]))
}

/** @returns null where no key at hand opens it */
export function openSecrets(sealer: Sealer, commandId: string, sealed: string | null): object | null {
  if (sealed === null) return {}
  try {
    // an object of ours, by `sealSecrets`
    return JSON.parse(sealer.openText(sealed, sealedPlace(commandSecrets, [commandId]))) as object
  } catch (error) {
    if (error instanceof SealBroken) return null
    throw error
  }
}
