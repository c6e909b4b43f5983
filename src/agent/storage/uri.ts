import { badArguments } from './faults.js'

/**
 * Where a storage connection leads to, by scheme. Every spelling of one target is normalised to one string (S13).
 *
 * `local:///<directory>`: a directory of this host that is used where it is. No parameters.
 * `posix:///<path>?fstype=<type>`: something that mount(8) mounts: a block device, an image file (both by their filesystem's
 * type) or a directory (`fstype=bind`).
 *
 * In both, `scheme:/path`, `scheme://localhost/path` and upper-case schemes are the same; `//`, `/.` and a trailing `/` in
 * a path are folded; `..` and control characters are refused; `%` escapes a byte, and must where the path holds `%`, `?` or
 * `#`. Symbolic links are not followed: what they point to may change with a reboot.
 */
export type StorageUri = LocalUri | PosixUri

interface Normalised {
  /** Equal for every spelling of the same target. */
  readonly target: string
  readonly path: string
}

export interface LocalUri extends Normalised {
  readonly scheme: 'local'
}

export interface PosixUri extends Normalised {
  readonly scheme: 'posix'
  readonly fsType: PosixFsType
}

export type StorageScheme = StorageUri['scheme']
export type UriOf<S extends StorageScheme> = Extract<StorageUri, { scheme: S }>

export const posixFsTypes = [
  'bind',
  'btrfs',
  'ext2',
  'ext3',
  'ext4',
  'f2fs',
  'iso9660',
  'squashfs',
  'vfat',
  'xfs',
] as const
export type PosixFsType = (typeof posixFsTypes)[number]

type Parameters = ReadonlyMap<string, string>

/** A new scheme is added here, and then does not compile until it has a driver. */
const schemes: { readonly [S in StorageScheme]: (rest: string, parameters: Parameters) => UriOf<S> } = {
  local: (rest, parameters) => {
    allowOnly('local', parameters, [])
    const path = pathOf('local', rest)
    return { scheme: 'local', path, target: `local://${encodePath(path)}` }
  },
  posix: (rest, parameters) => {
    allowOnly('posix', parameters, ['fstype'])
    const path = pathOf('posix', rest)
    const fsType = posixFsTypes.find((known) => known === parameters.get('fstype')?.toLowerCase())
    if (fsType === undefined) throw badArguments(`posix: fstype must be one of ${posixFsTypes.join(', ')}`)
    return { scheme: 'posix', path, fsType, target: `posix://${encodePath(path)}?fstype=${fsType}` }
  },
}

/** @throws FaultError `bad-arguments` */
export function parseStorageUri(uri: string): StorageUri {
  const parts = /^(?<scheme>[a-z][a-z0-9+.-]*):(?<rest>[^?#]*)(?:\?(?<query>[^#]*))?$/i.exec(uri)?.groups
  if (parts === undefined) throw badArguments('a storage URI is <scheme>:<path>[?<parameters>], without a fragment')
  const scheme = parts.scheme!.toLowerCase()
  if (!isScheme(scheme))
    throw badArguments(`${scheme}: is no storage scheme of this agent: ${Object.keys(schemes).join(', ')}`)
  return schemes[scheme](parts.rest!, parametersOf(parts.query))
}

const isScheme = (scheme: string): scheme is StorageScheme => Object.hasOwn(schemes, scheme)

function pathOf(scheme: string, rest: string): string {
  const parts = /^(?:\/\/(?:localhost)?(?<afterHost>\/.*)|(?<alone>\/(?!\/).*))$/is.exec(rest)?.groups
  const path = parts?.afterHost ?? parts?.alone
  if (path === undefined) throw badArguments(`${scheme}: takes an absolute path of this host, as ${scheme}:///path`)
  const segments = decode(path)
    .split('/')
    .filter((segment) => segment !== '' && segment !== '.')
  if (segments.includes('..')) throw badArguments(`${scheme}: a path must not hold ..`)
  if (segments.length === 0) throw badArguments(`${scheme}: the root directory is no storage connection`)
  return `/${segments.join('/')}`
}

function parametersOf(query: string | undefined): Parameters {
  const parameters = new Map<string, string>()
  for (const pair of query?.split('&').filter((part) => part !== '') ?? []) {
    const [, name, value] = /^([^=]*)=?(.*)$/s.exec(pair)!
    const key = decode(name!).toLowerCase()
    if (parameters.has(key)) throw badArguments(`the parameter ${key} is given twice`)
    parameters.set(key, decode(value!))
  }
  return parameters
}

function allowOnly(scheme: string, parameters: Parameters, known: readonly string[]): void {
  for (const name of parameters.keys()) {
    if (!known.includes(name)) throw badArguments(`${scheme}: has no parameter ${name}`)
  }
}

function decode(text: string): string {
  let decoded: string
  try {
    decoded = decodeURIComponent(text)
  } catch {
    throw badArguments('the URI holds a broken % escape')
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (/[\u0000-\u001f\u007f]/.test(decoded)) throw badArguments('the URI holds a control character')
  return decoded
}

const encodePath = (path: string) => path.replace(/[%?#\s]/g, (character) => encodeURIComponent(character))
