import { closest, distance } from 'fastest-levenshtein'

/** `: did you mean http?`, or nothing where nothing is near. */
export function didYouMean(word: string, known: readonly string[]): string {
  const candidates = new Map(known.map((name) => [name.toLowerCase(), name]))
  const nearest = closest(word.toLowerCase(), [...candidates.keys()])
  const near = distance(word.toLowerCase(), nearest) <= Math.max(2, Math.floor(word.length / 4))
  return near ? `: did you mean ${candidates.get(nearest)}?` : ''
}
