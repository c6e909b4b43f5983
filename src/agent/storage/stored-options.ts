import type { ReadArguments, StorageArguments, StorageOptions } from '../../wire/storage/arguments.js'
import { requireArguments } from './arguments.js'
import type { StoredConnection } from './state.js'

type Stored = StorageArguments & Pick<StoredConnection, 'unopened'>

/** A target that is left has no credentials, and those of an id may be lost: neither keeps it from being watched and let go. */
export function requireStored(stored: Stored): ReadArguments {
  const read = requireArguments({ ...stored, heldCredentials: 'any' })
  const areLost = stored.unopened !== undefined && read.missing.length === 0
  return areLost ? { ...read, missing: ['credentials'] } : read
}

/** How ids on disk ask for their targets to be connected. Understood once for each: many ids may share a target. */
export class StoredOptions {
  private readonly read = new WeakMap<StoredConnection, StorageOptions | null>()

  /** Null: an agent of another version wrote it, and it is not understood. */
  of(connection: StoredConnection): StorageOptions | null {
    if (!this.read.has(connection)) this.read.set(connection, readOptions(connection))
    return this.read.get(connection) ?? null
  }
}

function readOptions(connection: StoredConnection): StorageOptions | null {
  try {
    return requireStored(connection).options
  } catch {
    return null
  }
}
