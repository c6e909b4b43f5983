import { Invalid } from '../platform/errors.js'

/**
 * The schemes that agents have drivers for (S13). The engine checks only the form, so that a nonsensical URI is refused
 * at once and nothing is stored; the agent's drivers know the rest, and normalise.
 */
export const storageSchemes = ['posix', 'local'] as const

const FORM = /^([a-z][a-z0-9+.-]*):\/\/([^/?#\s]*)(\/[^?#\p{Cc}]*)(?:\?([^#\s]*))?$/u

/** @throws Invalid naming the field `uri` */
export function parseStorageUri(uri: string): { scheme: string; path: string; query: URLSearchParams } {
  const match = FORM.exec(uri)
  if (!match) throw invalid('must be <scheme>://[host]/path[?option=value]')
  const [, scheme = '', host = '', path = '', query = ''] = match
  if (!storageSchemes.includes(scheme as (typeof storageSchemes)[number])) {
    throw invalid(`has the unknown scheme ${scheme}: one of ${storageSchemes.join(', ')}`)
  }
  if (host !== '') throw invalid(`${scheme} storage has no host: write ${scheme}://${path}`)
  if (path.split('/').includes('..')) throw invalid("must not contain '..'")
  if (path === '/') throw invalid('must name more than /')
  return { scheme, path, query: new URLSearchParams(query) }
}

function invalid(message: string): Invalid {
  return new Invalid(`the storage URI ${message}`, [{ field: 'uri', message }])
}
