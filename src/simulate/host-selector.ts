import { seededRandom } from './random.js'

/**
 * Which hosts are meant: a share of all from 0 to 1, or a pattern of names in which `*` is any text, `?` any character
 * and `[1-10]` any whole number from 1 to 10.
 */
export type HostSelector = string | number

export const isHostSelector = (value: unknown): value is HostSelector =>
  typeof value === 'number' ? value >= 0 && value <= 1 : typeof value === 'string' && value !== ''

/** A share picks the same hosts for the same seed; `salt` makes two shares pick differently. */
export function hostMatcher(selector: HostSelector, seed: number, salt: string): (name: string) => boolean {
  if (typeof selector === 'number') return (name) => seededRandom(seed, `${salt}/${name}`)() < selector
  return textMatcher(selector)
}

export function textMatcher(pattern: string): (text: string) => boolean {
  const ranges: { readonly from: number; readonly to: number }[] = []
  const source = pattern.replace(/\[(\d+)-(\d+)\]|[\s\S]/g, (part, from?: string, to?: string) => {
    if (part === '*') return '.*'
    if (part === '?') return '.'
    if (from === undefined || to === undefined) return part.replace(/[\\^$.|+()[\]{}/-]/g, '\\$&')
    ranges.push({ from: Number(from), to: Number(to) })
    return '(\\d+)'
  })
  const expression = new RegExp(`^${source}$`, 's')
  return (text) => {
    const numbers = expression.exec(text)?.slice(1).map(Number)
    return numbers?.every((number, index) => number >= ranges[index]!.from && number <= ranges[index]!.to) ?? false
  }
}
