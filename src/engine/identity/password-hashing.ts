import { availableParallelism } from 'node:os'
import { Injectable } from '@nestjs/common'
import { hash, type Options, parseOptions, verify } from '@node-rs/argon2'
import { Unavailable } from '../platform/errors.js'
import { Turnstile } from '../platform/turnstile.js'

/** OWASP's first choice for argon2id, the library's own algorithm unless told otherwise: 19 MiB, two passes, one lane. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const satisfies Options

/** Of nothing that anybody knows: what an account without a password is held against. */
const NOBODYS = '$argon2id$v=19$m=19456,t=2,p=1$IRk9hmI4oGLq7DPmFYykqQ$Wavzf662mCP6jBqEqnCIeIh+UxuunkaOrtXrrZiau/s'

/** Each takes a core and 19 MiB for some tens of milliseconds: at most half the cores, and a line that is not endless. */
const AT_ONCE = Math.max(1, Math.min(4, Math.floor(availableParallelism() / 2)))
const MAX_WAITING = 100

/** Passwords as argon2id hashes, few at a time, so that signing in cannot eat the machine. */
@Injectable()
export class PasswordHashing {
  private readonly turnstile = new Turnstile(AT_ONCE, MAX_WAITING)

  /** @throws Unavailable when too many wait already */
  hash(password: string): Promise<string> {
    return this.inTurn(() => hash(bytesOf(password), cost))
  }

  /** @param kept null: there is none, which costs the same time. @throws Unavailable when too many wait already */
  async verify(kept: string | null, password: string): Promise<boolean> {
    const right = await this.inTurn(() => verify(kept ?? NOBODYS, bytesOf(password)))
    return right && kept !== null
  }

  private async inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (this.turnstile.full) throw new Unavailable('too many are signing in')
    // nobody is ever gone, so there is always a result
    return (await this.turnstile.pass(work, () => false)) as T
  }
}

/** The same characters, however a keyboard composes them. */
const bytesOf = (password: string): string => password.normalize('NFC')

/** Whether a hash was made at another cost than today's. */
export function isOutdated(kept: string): boolean {
  const { memoryCost, timeCost, parallelism } = parseOptions(kept)
  return memoryCost !== cost.memoryCost || timeCost !== cost.timeCost || parallelism !== cost.parallelism
}
