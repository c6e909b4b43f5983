import { FaultError } from '../../../fault.js'

/** The name of a variable that holds a `$`, which a string of nginx cannot hold otherwise. */
export const DOLLAR = 'keelson_dollar'

/** Characters that would end a line of a request or of a header. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const CONTROL = /[\u0000-\u001f\u007f]/

/**
 * One argument of a directive, whatever is in it. Within quotes only a backslash and the quote itself mean something to
 * nginx's reader; what a directive makes of a `$` afterwards is another matter.
 */
export const quoted = (text: string): string => `"${text.replace(/[\\"]/g, '\\$&')}"`

/** An argument in which nginx looks for variables: a `$` of the text stays one. */
export const quotedValue = (text: string): string => quoted(text.replaceAll('$', `\${${DOLLAR}}`))

/** A pattern that matches just this text, with nothing in it but letters, digits and `\xHH`. */
export const literally = (text: string): string =>
  [...Buffer.from(text, 'utf8')]
    .map((byte) => {
      const character = String.fromCharCode(byte)
      return /[A-Za-z0-9]/.test(character) ? character : `\\x${byte.toString(16).padStart(2, '0')}`
    })
    .join('')

/** @throws FaultError when it would not stay within its line */
export function oneLine(text: string, of: string): string {
  if (CONTROL.test(text)) throw invalid(`${of} holds a control character`)
  return text
}

export const invalid = (message: string): FaultError => new FaultError('balancing.invalid', message)

/** An address as it stands before a port. */
export const hostOf = (address: string): string => (address.includes(':') ? `[${address}]` : address)

/** What is between braces, moved in. */
export const block = (head: string, lines: readonly string[]): string[] => [
  `${head} {`,
  ...lines.map((line) => `    ${line}`),
  '}',
]
