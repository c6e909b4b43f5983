import { badUri } from './bad-argument.js'

/** What stands behind the `?` of a URI, decoded; names in lower case. */
export type Parameters = ReadonlyMap<string, string>

export interface UriParts {
  readonly scheme: string
  /** Between the scheme's colon and the `?`, not decoded. */
  readonly rest: string
  readonly parameters: Parameters
}

/** @throws BadArgument */
export function splitUri(uri: string): UriParts {
  refuseControlCharacters(uri)
  const parts = /^(?<scheme>[a-z][a-z0-9+.-]*):(?<rest>[^?#]*)(?:\?(?<query>[^#]*))?$/i.exec(uri)?.groups
  if (parts !== undefined && /^\/\/[^/]*@/.test(parts.rest!)) {
    throw badUri('a storage URI holds no user and no password: they are options and credentials')
  }
  if (parts === undefined) throw badUri('a storage URI is <scheme>:<path>[?<parameters>], without a fragment')
  return { scheme: parts.scheme!.toLowerCase(), rest: parts.rest!, parameters: parametersOf(parts.query) }
}

function parametersOf(query: string | undefined): Parameters {
  const parameters = new Map<string, string>()
  for (const pair of query?.split('&').filter((part) => part !== '') ?? []) {
    const [, name, value] = /^([^=]*)=?(.*)$/s.exec(pair)!
    const key = decode(name!)
    const twice = [...parameters.keys()].some((other) => other.toLowerCase() === key.toLowerCase())
    if (twice) throw badUri(`the parameter ${key} is given twice`)
    parameters.set(key, decode(value!))
  }
  return parameters
}

/**
 * The path with `//`, `/.` and a trailing `/` folded; `/` for an empty one. Symbolic links are not followed: what they
 * point to may change. @throws BadArgument for `..`, which nobody can resolve without looking
 */
export function pathOf(scheme: string, text: string): string {
  const segments = decode(text)
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
  if (segments.includes('..')) throw badUri(`${scheme}: a path must not hold ..`)
  return `/${segments.join('/')}`
}

/** The path as it stands in a target: what would be read as something else is escaped. */
export const encodePath = (path: string): string =>
  path.replace(/[%?#\s]/g, (character) => encodeURIComponent(character))

export function decode(text: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(text)
  } catch {
    throw badUri('the URI holds a broken % escape')
  }
  refuseControlCharacters(decoded)
  return decoded
}

function refuseControlCharacters(text: string): void {
  if (/\p{Cc}/u.test(text)) throw badUri('the URI holds a control character')
}
