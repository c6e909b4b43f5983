import { createHash } from 'node:crypto'

const MAX_NAME_BYTES = 200
const BEFORE_DIGEST_BYTES = 160
const DIGEST_CHARS = 32

/**
 * VDSM's name for a mount point, so that who knows the one finds the other: `_` is doubled, repeated and trailing `/` are
 * folded, and `/` becomes `_`; a remote path has its `host:` before it. Sources that are named alike, `/a_/b` and `/a/_b`, are
 * kept apart: only the one that is read back from the name has it. The others, and what is too long, have their digest and
 * a `_` behind, at which no name of VDSM's ends.
 */
export function mountPointName(source: string): string {
  const path = folded(source)
  const name = escaped(path)
  if (readBack(name) === path && Buffer.byteLength(name) <= MAX_NAME_BYTES) return name
  return `${clip(name, BEFORE_DIGEST_BYTES)}-${digest(path, DIGEST_CHARS)}_`
}

/** As agents named it that did not keep sources apart: what they mounted may still be there. */
export function formerMountPointName(source: string): string {
  const name = escaped(folded(source))
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name
  return `${clip(name, MAX_NAME_BYTES - 20)}-${digest(name, 16)}`
}

const folded = (source: string): string => source.replace(/\/+/g, '/').replace(/([^:])\/$/, '$1')

const escaped = (path: string): string => path.replaceAll('_', '__').replaceAll('/', '_')

/** An odd `_` is the `/` at the beginning of its row. */
const readBack = (name: string): string =>
  name.replace(/_+/g, ({ length }) => `${length % 2 === 1 ? '/' : ''}${'_'.repeat(Math.floor(length / 2))}`)

const clip = (name: string, bytes: number): string =>
  Buffer.from(name)
    .toString('utf8', 0, bytes)
    .replace(/\ufffd+$/, '')

const digest = (text: string, chars: number): string => createHash('sha256').update(text).digest('hex').slice(0, chars)
