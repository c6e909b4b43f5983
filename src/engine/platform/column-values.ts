import pg from 'pg'

const TIMESTAMPTZ = 1184
const TEXT_ARRAY = 1009
const UUID_ARRAY = 2951

type Read = (text: string) => unknown

const slowly = (oid: number): Read => pg.types.getTypeParser(oid, 'text') as Read
const [anyMoment, anyTexts, anyUuids] = [slowly(TIMESTAMPTZ), slowly(TEXT_ARRAY), slowly(UUID_ARRAY)]

const read: Readonly<Record<number, Read>> = {
  [TIMESTAMPTZ]: readMoment,
  [TEXT_ARRAY]: (text) => (text === '{}' ? [] : anyTexts(text)),
  [UUID_ARRAY]: (text) => (text === '{}' ? [] : anyUuids(text)),
}

/**
 * As the driver reads columns, for its option `types`: moments without its regular expressions, which were a third of what a
 * list costs, and empty arrays without its parser.
 */
export const columnValues = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    (format !== 'binary' && read[oid]) || pg.types.getTypeParser(oid, format)) as typeof pg.types.getTypeParser,
}

const ZERO = 48
const digit = (text: string, at: number): number => text.charCodeAt(at) - ZERO
const two = (text: string, at: number): number => digit(text, at) * 10 + digit(text, at + 1)

/** `2026-01-31 12:00:00.123456+00`: of a common year, in UTC. Anything else is the driver's to read. */
const COMMON_LENGTH = { least: 22, most: 29 }

function readMoment(text: string): unknown {
  const { length } = text
  const isCommon =
    length >= COMMON_LENGTH.least && length <= COMMON_LENGTH.most && text[4] === '-' && text.endsWith('+00')
  const century = isCommon ? two(text, 0) : 0
  if (century === 0) return anyMoment(text)
  const [year, month, day] = [century * 100 + two(text, 2), two(text, 5) - 1, two(text, 8)]
  return new Date(Date.UTC(year, month, day, two(text, 11), two(text, 14), two(text, 17), milliseconds(text)))
}

/** As many digits of a second as there are, to the third. */
function milliseconds(text: string): number {
  let [found, worth] = [0, 100]
  for (let at = 20; at < Math.min(23, text.length - 3); at++, worth /= 10) found += digit(text, at) * worth
  return found
}
