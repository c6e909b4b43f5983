import { sameTarget } from '../../wire/storage/sameness.js'
import { Invalid } from '../platform/errors.js'
import { badArguments } from './connection-errors.js'
import type { CredentialTexts } from './credentials.js'
import { requireArguments } from './storage-rules.js'

/** What leads to a storage, as somebody asks for it. */
export interface StorageArguments {
  readonly uri: string
  readonly options: Record<string, string>
  /** Left out: those that are held stay. */
  readonly credentials: CredentialTexts | undefined
  /** What it lacks where nothing is held that could be meant: a secret that its options call for. */
  readonly lack: Invalid | null
}

interface Given {
  readonly uri: string
  readonly options?: Record<string, string>
  readonly credentials?: Record<string, string>
}

/** @throws Invalid naming the field, before anything is stored */
export function storageArguments({ uri, options = {}, credentials }: Given): StorageArguments {
  return { uri, options, credentials, lack: lackOf({ uri, options, credentials }) }
}

function lackOf(given: Given): Invalid | null {
  try {
    requireArguments(given)
    return null
  } catch (error) {
    if (!(error instanceof Invalid) || given.credentials) throw error
    requireArguments({ ...given, heldCredentials: 'any' })
    return error
  }
}

/** For what is new. @throws Invalid */
export function requireWhole({ lack }: StorageArguments): void {
  if (lack) throw lack
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
  if (held.sealedCredentials === null || sameTarget(held.uri, uri)) {
    requireArguments({ uri, options, heldCredentials: held.credentialNames })
    return
  }
  const message = 'must be given again for another URI; {} for none'
  throw badArguments(`the credentials ${message}`, { field: 'credentials', message })
}
