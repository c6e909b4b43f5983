import { badUri } from './bad-argument.js'
import { pathOf } from './uri-text.js'

/** `/path`, `///path` and `//localhost/path` are the same; the host itself is meant. @throws BadArgument */
export function localPathOf(scheme: string, rest: string): string {
  const parts = /^(?:\/\/(?:localhost)?(?<afterHost>\/.*)|(?<alone>\/(?!\/).*))$/is.exec(rest)?.groups
  const text = parts?.afterHost ?? parts?.alone
  if (text === undefined) throw badUri(`${scheme}: takes an absolute path of this host, as ${scheme}:///path`)
  const path = pathOf(scheme, text)
  if (path === '/') throw badUri(`${scheme}: the root directory is no storage connection`)
  return path
}
