import type { Keys } from './key.js'
import { optionalText } from './parsers.js'

/** The two ways to be told a join token. */
export interface JoinTokenKeys {
  readonly joinToken: string | null
  readonly joinTokenFile: string | null
}

/** @param meaning what the token is for */
export const joinTokenKeys = (meaning: string): Keys<JoinTokenKeys> => ({
  joinToken: {
    ...optionalText,
    env: 'KEELSON_JOIN_TOKEN',
    meaning,
    expects: 'a join token, kjt_…',
    fallback: () => null,
    show: (value) => (value === null ? '(none)' : '(set)'),
    secret: true,
  },
  joinTokenFile: {
    ...optionalText,
    env: 'KEELSON_JOIN_TOKEN_FILE',
    meaning: 'File that holds the join token; read only while there is no certificate',
    expects: 'the path of a file',
    fallback: () => null,
  },
})
