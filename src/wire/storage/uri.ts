import { badUri } from './bad-argument.js'
import type { SchemeRules } from './scheme-rules.js'
import { type CephUri, ceph } from './schemes/ceph.js'
import { type GlusterfsUri, glusterfs } from './schemes/glusterfs.js'
import { type IscsiUri, iscsi } from './schemes/iscsi.js'
import { type LocalUri, local } from './schemes/local.js'
import { type NfsUri, nfs } from './schemes/nfs.js'
import { type PosixUri, posix } from './schemes/posix.js'
import { splitUri } from './uri-text.js'

/**
 * Where a storage connection leads to, by scheme; every spelling of one target is normalised to one string (S13), which is
 * itself a spelling of it. In all: the scheme's case does not matter; `//`, `/.` and a trailing `/` in a path are folded; `..`
 * and control characters are refused; `%` escapes a byte, and must where the path holds `%`, `?` or `#`.
 */
export type StorageUri = CephUri | GlusterfsUri | IscsiUri | LocalUri | NfsUri | PosixUri
export type StorageScheme = StorageUri['scheme']
export type UriOf<S extends StorageScheme> = Extract<StorageUri, { scheme: S }>

/** A new scheme is added here, and then does not compile until the agent has a driver and the simulator an answer. */
export const schemeRules: { readonly [S in StorageScheme]: SchemeRules<UriOf<S>> } = {
  ceph,
  glusterfs,
  iscsi,
  local,
  nfs,
  posix,
}

// the table's keys are the schemes, all of them
export const storageSchemes = Object.keys(schemeRules) as readonly StorageScheme[]

/** @throws BadArgument with the field `uri` */
export function parseStorageUri(uri: string): StorageUri {
  return readUri(uri).address
}

export interface ReadUri {
  readonly address: StorageUri
  readonly rules: SchemeRules
  /** What its query says beside the target's own parameters. */
  readonly options: ReadonlyMap<string, string>
}

/** @throws BadArgument with the field `uri` */
export function readUri(uri: string): ReadUri {
  const { scheme, rest, parameters } = splitUri(uri)
  if (!isScheme(scheme)) throw badUri(`${scheme}: is no storage scheme: ${storageSchemes.join(', ')}`)
  const rules = schemeRules[scheme]
  const named = new Map<string, string>()
  const options = new Map<string, string>()
  for (const [name, value] of parameters) {
    if (rules.parameters.includes(name.toLowerCase())) named.set(name.toLowerCase(), value)
    else if (Object.hasOwn(rules.options, name)) options.set(name, value)
    else throw badUri(`${scheme}: has no parameter ${name}`)
  }
  return { address: rules.addressOf(rest, named), rules, options }
}

const isScheme = (scheme: string): scheme is StorageScheme => Object.hasOwn(schemeRules, scheme)
