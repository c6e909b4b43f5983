import { badUri } from '../bad-argument.js'
import { authorityOf, hostOf, portOf } from '../host.js'
import { mountRules } from '../mount-rules.js'
import { type SchemeRules, type StorageAddress, text } from '../scheme-rules.js'
import { encodePath, pathOf } from '../uri-text.js'

const MAX_MONITORS = 16
/** Who names neither is sent to both: of the protocol's second and first version. */
const DEFAULT_PORTS: readonly number[] = [3300, 6789]
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/

/** `ceph://mon[:port][,mon…]/path?fs=<file system>`: the order of the monitors means nothing. */
export interface CephUri extends StorageAddress {
  readonly scheme: 'ceph'
  /** `host` or `host:port`, sorted. */
  readonly monitors: readonly string[]
  readonly path: string
  /** Null: the cluster's default. */
  readonly fileSystem: string | null
}

export const ceph: SchemeRules<CephUri> = {
  parameters: ['fs'],
  options: {
    ro: mountRules.ro,
    user: { ...text(NAME, 'the name of a client, without client.'), byDefault: 'admin' },
  },
  credentials: {
    secret: {
      accepts: (value) => /^[A-Za-z0-9+/]{16,128}={0,2}$/.test(value),
      takes: "a client's key in base64",
    },
  },
  addressOf: (rest, parameters) => {
    const [, authority, tail] = /^\/\/([^/]*)(\/.*)?$/s.exec(rest) ?? []
    if (authority === undefined) throw badUri('ceph: is written ceph://monitor[,monitor…]/path')
    const monitors = [...new Set(authority.split(',').map(monitorOf))].sort()
    if (monitors.length > MAX_MONITORS) throw badUri(`ceph: names more than ${MAX_MONITORS} monitors`)
    const path = pathOf('ceph', tail ?? '/')
    const fileSystem = parameters.get('fs') ?? null
    if (fileSystem !== null && !NAME.test(fileSystem)) throw badUri('ceph: fs is the name of a file system')
    const query = fileSystem === null ? '' : `?fs=${fileSystem}`
    return {
      scheme: 'ceph',
      monitors,
      path,
      fileSystem,
      target: `ceph://${monitors.join(',')}${encodePath(path)}${query}`,
    }
  },
}

function monitorOf(text: string): string {
  const parts = /^(?<host>\[[^\]]*\]|[^:]*)(?::(?<port>.*))?$/.exec(text)?.groups
  const host = hostOf('ceph', parts?.host ?? '')
  const port = parts?.port === undefined ? null : portOf('ceph', parts.port)
  return authorityOf(host, port !== null && DEFAULT_PORTS.includes(port) ? null : port)
}
