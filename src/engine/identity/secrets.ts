import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'

/**
 * What callers show: `<prefix>_<id>_<secret>`. The id finds the row, the secret is 32 random bytes that are kept as
 * their SHA-256: nothing that is guessed is worth a slow hash.
 */
export interface Credential {
  readonly id: string
  readonly secret: Buffer
}

const SECRET_BYTES = 32

export const newSecret = (): Buffer => randomBytes(SECRET_BYTES)

export const hashOf = (secret: Buffer): Buffer => createHash('sha256').update(secret).digest()

/** In constant time. */
export const isSecretOf = (secret: Buffer, hash: Buffer): boolean => timingSafeEqual(hashOf(secret), hash)

export function writeCredential(prefix: string, { id, secret }: Credential): string {
  return `${prefix}_${id.replaceAll('-', '')}_${secret.toString('base64url')}`
}

const FORM = /^([a-z]{3})_([0-9a-f]{8})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{4})([0-9a-f]{12})_([\w-]{43})$/

/** Null: it is none of ours. */
export function readCredential(prefix: string, text: string): Credential | null {
  const [, found, a, b, c, d, e, secret] = FORM.exec(text) ?? []
  if (found !== prefix || secret === undefined) return null
  return { id: [a, b, c, d, e].join('-'), secret: Buffer.from(secret, 'base64url') }
}
