import { type ReadArguments, readArguments, type StorageArguments } from '../../wire/storage/arguments.js'
import { BadArgument } from '../../wire/storage/bad-argument.js'
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

/** @param uri one that was read before */
export const capabilityFor = (uri: string): string => `storage:${uri.slice(0, uri.indexOf(':')).toLowerCase()}`

/** What is not known of a host does not stand in the way: its agent answers. */
export const isCapable = (host: Pick<Host, 'agentId' | 'capabilities'>, uri: string): boolean =>
  host.agentId === null || host.capabilities.includes(capabilityFor(uri))

/** In the words of the host's agent, where it has any. */
export function incapable({ name, facts }: Pick<Host, 'name' | 'facts'>, uri: string): Conflict {
  const capability = capabilityFor(uri)
  const lack = facts?.lacks?.find((one) => one.capability === capability)
  const why = lack ? `: ${lack.message}` : ''
  return new Conflict(`${name} lacks the capability ${capability}${why}`, 'unsupported-by-host', { capability })
}
