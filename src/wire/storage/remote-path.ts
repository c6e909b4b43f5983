import { badUri } from './bad-argument.js'
import { authorityOf, hostOf, portOf } from './host.js'
import { encodePath, pathOf } from './uri-text.js'

export interface RemotePath {
  readonly host: string
  /** Null: the scheme's default port. */
  readonly port: number | null
  /** Absolute, decoded. */
  readonly path: string
}

/**
 * `//server[:port]/path`, and as it is written for mount(8): `//server:path` and `//server:/path`. Digits between a colon and a
 * slash are a port. @throws BadArgument
 */
export function remotePathOf(scheme: string, rest: string, defaultPort: number): RemotePath {
  const parts = /^\/\/(?<host>\[[^\]]*\]|[^/:]*)(?<tail>.*)$/s.exec(rest)?.groups
  if (parts === undefined) throw badUri(`${scheme}: is written ${scheme}://server/path`)
  const host = hostOf(scheme, parts.host!)
  const { port, path } = tailOf(scheme, parts.tail!)
  return { host, port: port === defaultPort ? null : port, path: pathOf(scheme, path) }
}

export const remoteTarget = (scheme: string, { host, port, path }: RemotePath): string =>
  `${scheme}://${authorityOf(host, port)}${encodePath(path)}`

function tailOf(scheme: string, tail: string): { port: number | null; path: string } {
  if (tail.startsWith('/')) return { port: null, path: tail }
  const withPort = /^:(\d+)(\/.*)$/s.exec(tail)
  if (withPort !== null) return { port: portOf(scheme, withPort[1]!), path: withPort[2]! }
  if (tail === '' || /^:\d*$/.test(tail)) throw badUri(`${scheme}: the URI names no path: ${scheme}://server/path`)
  if (!tail.startsWith(':') || /^:\d+:/.test(tail))
    throw badUri(`${scheme}: behind the host stands a port or a path, not ${JSON.stringify(tail)}`)
  return { port: null, path: `/${tail.slice(1)}` }
}
