import { badUri } from '../bad-argument.js'
import { authorityOf, hostOf, portOf } from '../host.js'
import {
  type CredentialRule,
  oneOf,
  type SchemeRules,
  type StorageAddress,
  text,
  wholeNumber,
} from '../scheme-rules.js'
import { decode } from '../uri-text.js'

export const ISCSI_PORT = 3260
const MAX_PORTAL_GROUP = 65_535
/** RFC 7143, 4.2.7: compared without regard to case. */
const NAME =
  /^(iqn\.\d{4}-\d{2}\.[a-z0-9][a-z0-9.-]*(:[a-z0-9.:_-]+)?|eui\.[0-9a-f]{16}|naa\.[0-9a-f]{16}([0-9a-f]{16})?)$/
const MAX_NAME_CHARS = 223

/** `iscsi://host[:port]/iqn…[;portal=N]`: one session, by the portal and its group's tag (1 where it is not said). */
export interface IscsiUri extends StorageAddress {
  readonly scheme: 'iscsi'
  readonly host: string
  readonly port: number
  /** The target's iSCSI name. */
  readonly name: string
  readonly portalGroup: number
}

/** What iscsid reads from its records, line by line. */
const printable = (value: string) => /^[\x21-\x7e]{1,255}$/.test(value)
const password = (...needs: string[]): CredentialRule => ({
  accepts: printable,
  takes: '1 to 255 printable ASCII characters without blanks',
  needs,
})
const user = text(/^[\x21-\x7e]{1,255}$/, '1 to 255 printable ASCII characters without blanks')
const digest = oneOf(['None', 'CRC32C'], 'None')

export const iscsi: SchemeRules<IscsiUri> = {
  parameters: [],
  options: {
    chapUser: { ...user, needs: ['credentials.chapPassword'] },
    /** The name by which the target proves itself in turn. */
    chapUserIn: { ...user, needs: ['credentials.chapPasswordIn'] },
    /** The unit that has to be there: ids of one session may each want another. */
    lun: { ...wholeNumber(0, 16_383), of: 'id' },
    headerDigest: digest,
    dataDigest: digest,
  },
  credentials: {
    chapPassword: password('options.chapUser'),
    chapPasswordIn: password('options.chapUserIn', 'credentials.chapPassword'),
  },
  addressOf: (rest) => {
    const parts = /^\/\/(?<host>\[[^\]]*\]|[^/:]*)(?::(?<port>[^/]*))?(?<tail>\/.*)?$/s.exec(rest)?.groups
    if (parts === undefined) throw badUri('iscsi: is written iscsi://host/iqn…;portal=1')
    const host = hostOf('iscsi', parts.host!)
    const port = parts.port === undefined ? ISCSI_PORT : portOf('iscsi', parts.port)
    const [name = '', ...tags] = (parts.tail ?? '').replace(/^\/+|\/+$/g, '').split(';')
    const iscsiName = nameOf(name)
    const portalGroup = portalGroupOf(tags)
    const authority = authorityOf(host, port === ISCSI_PORT ? null : port)
    return {
      scheme: 'iscsi',
      host,
      port,
      name: iscsiName,
      portalGroup,
      target: `iscsi://${authority}/${iscsiName};portal=${portalGroup}`,
    }
  },
}

function nameOf(text: string): string {
  const name = decode(text).toLowerCase()
  if (name.length <= MAX_NAME_CHARS && NAME.test(name)) return name
  throw badUri('iscsi: behind the host stands the name of a target: iqn.<year>-<month>.<domain>[:<name>], eui… or naa…')
}

function portalGroupOf(tags: readonly string[]): number {
  if (tags.length === 0) return 1
  const portal = /^portal=(\d{1,5})$/i.exec(tags[0]!)?.[1]
  if (tags.length === 1 && portal !== undefined && Number(portal) <= MAX_PORTAL_GROUP) return Number(portal)
  throw badUri(`iscsi: behind the name stands nothing but ;portal=<0 to ${MAX_PORTAL_GROUP}>`)
}
