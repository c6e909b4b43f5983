import { localPathOf } from '../local-path.js'
import type { SchemeRules, StorageAddress } from '../scheme-rules.js'
import { encodePath } from '../uri-text.js'

/** `local:///directory`: a directory of the host that is used where it is. */
export interface LocalUri extends StorageAddress {
  readonly scheme: 'local'
  readonly path: string
}

export const local: SchemeRules<LocalUri> = {
  parameters: [],
  options: {},
  credentials: {},
  addressOf: (rest) => {
    const path = localPathOf('local', rest)
    return { scheme: 'local', path, target: `local://${encodePath(path)}` }
  },
}
