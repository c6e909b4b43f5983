import { createHash } from 'node:crypto'

const ID_CHARS = 22

/** What a target id looks like: 132 bits of SHA-256 in base64url. */
export const TARGET_ID = /^[\w-]{22}$/

/** Schemes whose targets without a host in them are a thing of the host that they are on. */
const ownSchemes: readonly string[] = ['local', 'posix']

/**
 * The id of an actual target, stable over spellings and restarts. `nfs://filer/a` is one target however many hosts hold it;
 * `/srv/a` of one host is not `/srv/a` of another.
 * @param target as hosts normalise it
 */
export function targetIdOf(hostId: string, target: string): string {
  const whole = isOwn(target) ? `${hostId} ${target}` : target
  return createHash('sha256').update(whole).digest('base64url').slice(0, ID_CHARS)
}

export const schemeOf = (target: string): string => target.slice(0, target.indexOf(':')).toLowerCase()

const isOwn = (target: string): boolean => ownSchemes.includes(schemeOf(target)) && !/^[^:]*:\/\/[^/]/.test(target)
