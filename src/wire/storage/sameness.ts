import { readArguments, type StorageArguments, sameOptions } from './arguments.js'
import { BadArgument } from './bad-argument.js'
import { parseStorageUri } from './uri.js'

type Asked = Pick<StorageArguments, 'uri' | 'options'>

/** Whether both lead to one storage, however they are spelled (S13). */
export const sameTarget = (uri: string, other: string): boolean =>
  uri === other || unlessUnread(() => parseStorageUri(uri).target === parseStorageUri(other).target)

/**
 * Whether an id is asked for with what it is held with: what is meant counts, not how it is spelled. The one rule for it, on
 * both sides of the wire. Credentials are not looked at: whoever asks may leave them out, and each side knows them in its way.
 */
export function sameArguments(held: Asked, asked: Asked): boolean {
  return unlessUnread(() => {
    const one = readArguments({ uri: held.uri, options: held.options, heldCredentials: 'any' })
    const other = readArguments({ uri: asked.uri, options: asked.options, heldCredentials: 'any' })
    return (
      one.uri.target === other.uri.target && sameOptions(one.options, other.options) && sameOptions(one.own, other.own)
    )
  })
}

/** What another version wrote down and this one does not understand is like nothing that it does. */
function unlessUnread(compare: () => boolean): boolean {
  try {
    return compare()
  } catch (error) {
    if (error instanceof BadArgument) return false
    throw error
  }
}
