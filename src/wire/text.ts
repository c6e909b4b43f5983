/** What neither a text nor a jsonb of Postgres can hold: NUL, and a surrogate without its other half. */
const UNSTORABLE = /[\0\p{Surrogate}]/gu
/** Code units that such a thing is made of: without one, as in nearly every text, there is no need to look closer. */
const SUSPECT = /[\0\uD800-\uDFFF]/

/** The text with U+FFFD for what cannot be stored; the text itself where there is nothing of the kind. */
export const storableText = (text: string): string => (SUSPECT.test(text) ? text.replace(UNSTORABLE, '\uFFFD') : text)

/** The storable beginning of a text, never ending in half of a surrogate pair. */
export const clipped = (text: string, maxChars: number): string =>
  storableText(text.length <= maxChars ? text : text.slice(0, maxChars).replace(/[\uD800-\uDBFF]$/, ''))
