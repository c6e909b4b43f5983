import { randomInt } from 'node:crypto'
import { Invalid } from '../platform/errors.js'

export const MIN_PASSWORD = 12
export const MAX_PASSWORD = 256

/** Without letters and digits that are taken for one another. */
const ALPHABET = 'abcdefghjkmnpqrstuvwxyz23456789'
const GROUPS = 5
const GROUP_LENGTH = 5

/** To be read from a log and typed once: 123 bits in five groups. */
export function newOneTimePassword(): string {
  const group = () => Array.from({ length: GROUP_LENGTH }, () => ALPHABET[randomInt(ALPHABET.length)]).join('')
  return Array.from({ length: GROUPS }, group).join('-')
}

/** Who is to have it, and what opens the account until now. */
export interface PasswordOwner {
  readonly name: string
  readonly current: string
}

/** A length and no rules of composition (NIST SP 800-63B, 5.1.1.2); only what would be tried first is refused. */
export function requireGoodPassword(password: string, { name, current }: PasswordOwner, field: string): void {
  const fault = password === current ? 'must not be the one before' : faultOf(password, name)
  if (fault) throw new Invalid('the password cannot be taken', [{ field, message: fault }])
}

function faultOf(password: string, userName: string): string | null {
  const length = [...password].length
  if (length < MIN_PASSWORD || length > MAX_PASSWORD)
    return `must be ${MIN_PASSWORD} to ${MAX_PASSWORD} characters long`
  if (new Set(password).size === 1) return 'must be more than one character'
  if (rest(password.toLowerCase(), userName.toLowerCase()).length < MIN_PASSWORD / 2)
    return "must not be the user's name"
  return null
}

/** What is left of it without the name. */
const rest = (password: string, name: string): string => (name.length < 3 ? password : password.replaceAll(name, ''))
