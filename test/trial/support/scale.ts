/** Of all that is left to chance; `scripts/trial.mjs` prints it. */
export const seed = Number(process.env.TRIAL_SEED ?? 1)

const reduced = process.env.TRIAL_SCALE === 'reduced'

/** A count, or a time, of the full trial and of the reduced one. */
export const scaled = <T = number>(full: T, whenReduced: T): T => (reduced ? whenReduced : full)

/** How long what was promised may take: a full trial holds to it; among all the other tests of a run nobody is in a hurry. */
export const promisedMs = (ms: number): number => scaled(ms, 5 * ms)

/** Chances that are the same for the same seed (mulberry32). */
export class Chance {
  private state: number

  constructor(salt: string) {
    this.state = [...salt].reduce((sum, character) => Math.imul(sum ^ character.charCodeAt(0), 16_777_619), seed) >>> 0
  }

  /** From 0 up to, but not, 1. */
  next(): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  pick<T>(choices: readonly T[]): T {
    const choice = choices[Math.floor(this.next() * choices.length)]
    if (choice === undefined) throw new Error('nothing to choose from')
    return choice
  }
}
