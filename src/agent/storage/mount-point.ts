import { createHash } from 'node:crypto'

const MAX_NAME_BYTES = 200

/**
 * VDSM's name for a mount point, so that who knows the one finds the other: `_` is doubled, repeated and trailing `/` are
 * folded, and `/` becomes `_`; a remote path has its `host:` before it.
 */
export function mountPointName(source: string): string {
  const name = source
    .replaceAll('_', '__')
    .replace(/\/+/g, '/')
    .replace(/([^:])\/$/, '$1')
    .replaceAll('/', '_')
  if (Buffer.byteLength(name) <= MAX_NAME_BYTES) return name
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 16)
  return `${Buffer.from(name)
    .toString('utf8', 0, MAX_NAME_BYTES - 20)
    .replace(/\ufffd+$/, '')}-${hash}`
}
