import type { BalancingChecked } from '../../wire/balancing/commands.js'
import { clipped } from '../../wire/text.js'

const MAX_WORDS_CHARS = 16_000
/** A report is one frame, and has both configurations in it. */
const MAX_CONFIGURATION_CHARS = 200_000

/** The judgement of a device, as it fits a report: what is longer is cut off. */
export function reported({ accepted, words, current, planned }: BalancingChecked): BalancingChecked {
  const cut = (text: string | null): string | null => (text === null ? null : clipped(text, MAX_CONFIGURATION_CHARS))
  return { accepted, words: clipped(words, MAX_WORDS_CHARS), current: cut(current), planned: cut(planned) }
}
