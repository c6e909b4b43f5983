import { readFileSync } from 'node:fs'
import type { Keys } from './key.js'
import { optionalText } from './parsers.js'

/** The two ways to be told the secret that hosts and engines share. */
interface JoinSecretKeys {
  readonly joinSecret: string | null
  readonly joinSecretFile: string | null
}

/** A configuration as it is read: its secret may be in a file. */
export type SecretFromFile<C> = Omit<C, 'joinSecret'> & JoinSecretKeys

const MIN_CHARS = 8
const MAX_CHARS = 512
const expects = `${MIN_CHARS} to ${MAX_CHARS} characters`

const fits = (secret: string): boolean => secret.length >= MIN_CHARS && secret.length <= MAX_CHARS

export const joinSecretKeys: Keys<JoinSecretKeys> = {
  joinSecret: {
    env: 'KEELSON_JOIN_SECRET',
    meaning: 'Secret that a host must show to join; this or joinSecretFile is required',
    expects,
    parse: (value) => (fits(value) ? value : undefined),
    fallback: () => null,
    show: (value) => (value === null ? '(none)' : '(set)'),
    secret: true,
  },
  joinSecretFile: {
    ...optionalText,
    env: 'KEELSON_JOIN_SECRET_FILE',
    meaning: 'File that holds the join secret; white space around it is dropped',
    expects: 'the path of a readable file',
    fallback: () => null,
  },
}

/** The secret in a file, or what is wrong with it. */
export function readSecretFile(path: string): { readonly secret: string } | { readonly fault: string } {
  try {
    const secret = readFileSync(path, 'utf8').trim()
    if (fits(secret)) return { secret }
    return { fault: `${path} holds ${secret.length} characters, expected ${expects}` }
  } catch (error) {
    return { fault: `${path} cannot be read: ${(error as Error).message}` }
  }
}
