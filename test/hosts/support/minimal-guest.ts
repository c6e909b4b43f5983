import { execFileSync } from 'node:child_process'
import { fromRoot } from '../../support/process.js'

export interface MinimalGuest {
  readonly kernel: string
  readonly initrd: string
}

/** Made of Debian's packages where it is not cached, which takes some ten seconds. */
export const minimalGuest = (): MinimalGuest =>
  JSON.parse(
    execFileSync(process.execPath, [fromRoot('scripts/minimal-guest.mjs')], { encoding: 'utf8' }),
  ) as MinimalGuest
