import { Invalid } from '../platform/errors.js'
import type { CredentialTexts } from './credentials.js'
import { requireArguments } from './storage-rules.js'

/** What leads to a storage, as somebody asks for it. */
export interface StorageArguments {
  readonly uri: string
  readonly options: Record<string, string>
  /** Left out: those that are held stay. */
  readonly credentials: CredentialTexts | undefined
}

interface Given {
  readonly uri: string
  readonly options?: Record<string, string>
  readonly credentials?: Record<string, string>
}

/** @throws Invalid naming the field, before anything is stored */
export function storageArguments({ uri, options = {}, credentials }: Given): StorageArguments {
  requireArguments({ uri, options, credentials, heldCredentials: credentials ? [] : 'any' })
  return { uri, options, credentials }
}

/** For what is new: nothing is held that could be meant. @throws Invalid */
export const requireWhole = ({ uri, options, credentials }: StorageArguments): void =>
  void requireArguments({ uri, options, credentials })

export function isWhole(wanted: StorageArguments): boolean {
  // with them it was read as a whole before
  if (wanted.credentials !== undefined) return true
  try {
    requireWhole(wanted)
    return true
  } catch {
    return false
  }
}

/**
 * Secrets are for where they were given for: whoever points a connection elsewhere gives them again, or says that there
 * are none.
 * @throws Invalid
 */
export function requireCredentialsFor(
  { uri, options, credentials }: StorageArguments,
  held: {
    readonly uri: string
    readonly sealedCredentials: string | null
    readonly credentialNames: readonly string[]
  },
): void {
  if (credentials !== undefined) return
  if (held.sealedCredentials === null || held.uri === uri) {
    requireArguments({ uri, options, heldCredentials: held.credentialNames })
    return
  }
  const message = 'must be given again for another URI; {} for none'
  throw new Invalid(`the credentials ${message}`, [{ field: 'credentials', message }])
}
