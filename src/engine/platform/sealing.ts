import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  randomBytes,
  timingSafeEqual,
} from 'node:crypto'

/** What seals and opens: 32 bytes, and a name that tells which key it was. */
export interface SealingKey {
  readonly id: string
  readonly bytes: Buffer
}

const ALGORITHM = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16
const FORM = /^sealed:1:([0-9a-f]{16}):([\w-]+)$/
const MARK = /^mac:1:([0-9a-f]{16}):[\w-]{43}$/

/** A secret that none of the keys at hand opens. */
export class SealBroken extends Error {}

/** @param bytes 32 of them */
export const sealingKeyOf = (bytes: Buffer): SealingKey => ({
  id: createHash('sha256').update('keelson sealing key ').update(bytes).digest('hex').slice(0, 16),
  bytes,
})

/**
 * Seals secrets for the database with AES-256-GCM. The first key seals, each of them opens. `place` says where the secret
 * lies (`table.column/id`): one that was copied elsewhere does not open there.
 */
export class Sealer {
  private readonly byId: ReadonlyMap<string, SealingKey>

  constructor(
    readonly current: SealingKey,
    older: readonly SealingKey[] = [],
  ) {
    this.byId = new Map([...older, current].map((key) => [key.id, key]))
  }

  get keyIds(): readonly string[] {
    return [...this.byId.keys()]
  }

  seal(secret: string | Buffer, place: string): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, this.current.bytes, nonce, { authTagLength: TAG_BYTES })
    cipher.setAAD(Buffer.from(place))
    const sealed = Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()])
    return `sealed:1:${this.current.id}:${sealed.toString('base64url')}`
  }

  /** @throws SealBroken */
  open(sealed: string, place: string): Buffer {
    const [, keyId = '', body = ''] = FORM.exec(sealed) ?? []
    const key = this.byId.get(keyId)
    if (!key) throw new SealBroken(`${place} is sealed with key ${keyId || '(none)'}, which is not at hand`)
    const bytes = Buffer.from(body, 'base64url')
    try {
      const decipher = createDecipheriv(ALGORITHM, key.bytes, bytes.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      })
      decipher.setAAD(Buffer.from(place))
      decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
    } catch (cause) {
      throw new SealBroken(`${place} does not open with key ${keyId}`, { cause })
    }
  }

  /**
   * By which a text is known again, and cannot be guessed by who has the database alone: `mac:1:<key id>:<HMAC-SHA-256>`.
   * @param use texts of one use are not those of another
   */
  mark(text: string, use: string): string {
    return markWith(this.current, text, use)
  }

  /** Null: it was made with a key that is not at hand, or is none. */
  isMarkOf(mark: string, text: string, use: string): boolean | null {
    const key = this.byId.get(MARK.exec(mark)?.[1] ?? '')
    return key ? timingSafeEqual(digestOf(mark), digestOf(markWith(key, text, use))) : null
  }

  openText(sealed: string, place: string): string {
    return this.open(sealed, place).toString('utf8')
  }
}

/** By a key of its own, which follows from the sealing key and tells nothing of it. */
function markWith({ id, bytes }: SealingKey, text: string, use: string): string {
  const key = Buffer.from(hkdfSync('sha256', bytes, '', `keelson mark ${use}`, 32))
  return `mac:1:${id}:${createHmac('sha256', key).update(text).digest('base64url')}`
}

const digestOf = (mark: string): Buffer => createHash('sha256').update(mark).digest()

/** Which key a secret was sealed with. */
export const keyIdOf = (sealed: string): string | null => FORM.exec(sealed)?.[1] ?? null
