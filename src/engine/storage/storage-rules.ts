import { type ReadArguments, readArguments, type StorageArguments } from '../../wire/storage/arguments.js'
import { BadArgument } from '../../wire/storage/bad-argument.js'
import type { Host } from '../hosts/host.entity.js'
import { Conflict, Invalid } from '../platform/errors.js'

/** VDSM's number for arguments that make no sense. */
const BAD_ARGUMENTS = 453

/** The rules of the agents' drivers, before anything is stored. @throws Invalid naming the field */
export function requireArguments(given: StorageArguments): ReadArguments {
  try {
    return readArguments(given)
  } catch (error) {
    if (!(error instanceof BadArgument)) throw error
    const { field, message } = error
    throw new Invalid(`the storage connection cannot be right: ${message}`, [{ field, message }], undefined, {
      number: BAD_ARGUMENTS,
    })
  }
}

/** @throws Conflict when the agent that is known of the host has said that it cannot drive the scheme */
export function requireCapable(host: Pick<Host, 'name' | 'agentId' | 'capabilities'>, { uri }: ReadArguments): void {
  const capability = `storage:${uri.scheme}`
  if (host.agentId === null || host.capabilities.includes(capability)) return
  const message = `${host.name} cannot connect ${uri.scheme}: it lacks the capability ${capability}`
  throw new Conflict(`${message}, as its tools or its kernel are not there`, 'unsupported-by-host', { capability })
}
