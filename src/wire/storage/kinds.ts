import { localFsTypes, remoteFsTypes } from './schemes/posix.js'
import { type StorageScheme, type StorageUri, storageSchemes } from './uri.js'

/** Of a scheme whose kinds need something of the host each, which it may lack one by one. */
export const kindsOf: Readonly<Partial<Record<StorageScheme, readonly string[]>>> = {
  posix: [...localFsTypes, ...remoteFsTypes],
}

/** Null: its scheme has no kinds. */
export const kindOf = (uri: StorageUri): string | null => (uri.scheme === 'posix' ? uri.fsType : null)

/** `storage:<scheme>`, and `storage:<scheme>:<kind>` beside it. */
export const storageCapability = (scheme: StorageScheme, kind: string | null = null): string =>
  kind === null ? `storage:${scheme}` : `storage:${scheme}:${kind}`

/** Of a host that lacks nothing. */
export const storageCapabilities: readonly string[] = storageSchemes.flatMap((scheme) => [
  storageCapability(scheme),
  ...(kindsOf[scheme] ?? []).map((kind) => storageCapability(scheme, kind)),
])
