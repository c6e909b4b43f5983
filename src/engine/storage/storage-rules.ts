import { type ReadArguments, readArguments, type StorageArguments } from '../../wire/storage/arguments.js'
import { BadArgument } from '../../wire/storage/bad-argument.js'
import { kindOf, kindsOf, storageCapability } from '../../wire/storage/kinds.js'
import { parseStorageUri, storageSchemes } from '../../wire/storage/uri.js'
import type { Host } from '../hosts/host.entity.js'
import { Conflict } from '../platform/errors.js'
import { badArguments } from './connection-errors.js'

/** The rules of the agents' drivers, before anything is stored. @throws Invalid naming the field */
export function requireArguments(given: StorageArguments): ReadArguments {
  try {
    return readArguments(given)
  } catch (error) {
    if (!(error instanceof BadArgument)) throw error
    const { field, message } = error
    throw badArguments(`the storage connection cannot be right: ${message}`, { field, message })
  }
}

type CapableHost = Pick<Host, 'name' | 'agentId' | 'capabilities' | 'facts'>

/** @param uri one that was read before */
export const capabilityFor = (uri: string): string => `storage:${uri.slice(0, uri.indexOf(':')).toLowerCase()}`

/** The one that hosts lack by itself, as for a type that `posix` mounts; null: its scheme has none. */
export function finerCapabilityFor(uri: string): string | null {
  if (!schemesOfKinds.has(capabilityFor(uri))) return null
  const read = parseStorageUri(uri)
  return storageCapability(read.scheme, kindOf(read))
}

/** Only of these is a URI read once more. */
const schemesOfKinds = new Set(
  storageSchemes.filter((scheme) => kindsOf[scheme]).map((scheme) => storageCapability(scheme)),
)

/**
 * What the host has said that it cannot do, in its agent's words, where it has any. What is not known of a host does not stand
 * in the way: its agent answers. Older ones say nothing of finer capabilities.
 */
export function incapable({ name, agentId, capabilities, facts }: CapableHost, uri: string): Conflict | null {
  if (agentId === null) return null
  const needed = capabilityFor(uri)
  const missing = capabilities.includes(needed) ? finerCapabilityFor(uri) : needed
  const lack = facts?.lacks?.find(({ capability }) => capability === missing)
  if (missing === null || (missing !== needed && !lack)) return null
  const why = lack ? `: ${lack.message}` : ''
  return new Conflict(`${name} lacks the capability ${missing}${why}`, 'unsupported-by-host', { capability: missing })
}
