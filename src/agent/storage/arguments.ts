import { type ReadArguments, readArguments, type StorageArguments } from '../../wire/storage/arguments.js'
import { BadArgument } from '../../wire/storage/bad-argument.js'
import { badArguments } from './faults.js'

/** What a connection is asked for with; the engine has checked it with the same rules, unless it is an older one. */
export function requireArguments(given: StorageArguments): ReadArguments {
  try {
    return readArguments(given)
  } catch (error) {
    throw error instanceof BadArgument ? badArguments(`${error.field}: ${error.message}`) : error
  }
}
