import { Invalid } from '../platform/errors.js'
import type { CredentialTexts } from './credentials.js'
import { parseStorageUri } from './storage-uri.js'

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
  parseStorageUri(uri)
  return { uri, options, credentials }
}

/**
 * Secrets are for where they were given for: whoever points a connection elsewhere gives them again, or says that there
 * are none.
 * @throws Invalid
 */
export function requireCredentialsFor(
  { uri, credentials }: Pick<StorageArguments, 'uri' | 'credentials'>,
  held: { readonly uri: string; readonly sealedCredentials: string | null },
): void {
  if (credentials !== undefined || held.sealedCredentials === null || held.uri === uri) return
  const message = 'must be given again for another URI; {} for none'
  throw new Invalid(`the credentials ${message}`, [{ field: 'credentials', message }])
}
