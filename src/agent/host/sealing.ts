import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { StateDirectoryError } from '../state-error.js'
import { writeFileAtomically } from './write-file.js'

const ALGORITHM = 'aes-256-gcm'
const FILE = 'sealing-key'
const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16
const FORM = /^sealed:1:([\w-]+)$/

/**
 * Seals secrets of the state directory's files under a key that lies beside them, in a file of its own that nobody else may
 * read: copies and backups of a file tell nothing. `place` says what it belongs to; elsewhere it does not open.
 */
export class StateSealer {
  constructor(private readonly key: Buffer) {}

  seal(secret: string, place: string): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(ALGORITHM, this.key, nonce, { authTagLength: TAG_BYTES })
    cipher.setAAD(Buffer.from(place))
    const sealed = Buffer.concat([nonce, cipher.update(secret, 'utf8'), cipher.final(), cipher.getAuthTag()])
    return `sealed:1:${sealed.toString('base64url')}`
  }

  /** Null: it was sealed with another key, or for another place, or is damaged. */
  open(sealed: string, place: string): string | null {
    const bytes = Buffer.from(FORM.exec(sealed)?.[1] ?? '', 'base64url')
    if (bytes.length < NONCE_BYTES + TAG_BYTES) return null
    const decipher = createDecipheriv(ALGORITHM, this.key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
    decipher.setAAD(Buffer.from(place))
    decipher.setAuthTag(bytes.subarray(-TAG_BYTES))
    try {
      return Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]).toString(
        'utf8',
      )
    } catch {
      return null
    }
  }
}

/** The key is made at first use. @throws StateDirectoryError where it is there and is none, or cannot be made */
export async function stateSealer(stateDir: string): Promise<StateSealer> {
  const there = await readStateSealer(stateDir)
  if (there !== null) return there
  const key = randomBytes(KEY_BYTES)
  try {
    await writeFileAtomically(join(stateDir, FILE), `${key.toString('base64')}\n`, 0o600)
  } catch (error) {
    throw unusable(stateDir, error)
  }
  return new StateSealer(key)
}

/** Null: none has been made yet. @throws StateDirectoryError */
export async function readStateSealer(stateDir: string): Promise<StateSealer | null> {
  try {
    const key = Buffer.from((await readFile(join(stateDir, FILE), 'utf8')).trim(), 'base64')
    if (key.length !== KEY_BYTES) throw new Error(`it is no key of ${KEY_BYTES} bytes in base64`)
    return new StateSealer(key)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw unusable(stateDir, error)
  }
}

function unusable(stateDir: string, error: unknown): StateDirectoryError {
  const path = join(stateDir, FILE)
  const advice = 'Without it, the plane sends the credentials of its storage connections again: move it away'
  return new StateDirectoryError(`${path} cannot be used: ${(error as Error).message}. ${advice}`, { cause: error })
}
