import { isIP } from 'node:net'
import { FaultError } from '../../../fault.js'

/** What HAProxy cannot be asked for: nothing was changed. */
export const notForHaproxy = (message: string) => new FaultError('unsupported', message)
export const invalid = (message: string) => new FaultError('invalid', message)

const PLAIN = /[\w.:/-]/
/** RFC 9110, section 5.6.2: names of headers and cookies. */
const TOKEN = /^[\w!#$%&'*+.^`|~-]+$/
const HOST = /^[\w.:[\]-]+$/

/**
 * Any text as one word of the configuration: whatever could end a word or mean something is written by its bytes
 * (configuration manual, 2.2, "Quoting and escaping").
 */
export function word(text: string): string {
  if (text === '' || text.includes('\0')) throw invalid('a text is empty, or has a zero byte')
  return text.replace(/[\s\S]/gu, (character) =>
    PLAIN.test(character) ? character : [...Buffer.from(character)].map(byteOf).join(''),
  )
}

const byteOf = (byte: number): string => `\\x${byte.toString(16).padStart(2, '0')}`

/** The same where HAProxy expands `%` (8.2.4, "Custom log format"). */
export const format = (text: string): string => word(text.replaceAll('%', '%%'))

/** The name of a header or cookie as an argument of a fetch: `req.hdr("…")`. */
export function argument(name: string): string {
  if (!TOKEN.test(name)) throw invalid(`${JSON.stringify(name)} is no name of a header or cookie`)
  return word(`"${name}"`)
}

/** What stands in a line of HTTP: blanks and control characters, which would end it, by their percent codes. */
export const urlText = (text: string): string =>
  text.replace(/[^!-~]/gu, (character) => [...Buffer.from(character)].map(percentOf).join(''))

const percentOf = (byte: number): string => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`

export function hostName(name: string): string {
  if (!HOST.test(name)) throw invalid(`${JSON.stringify(name)} is no name of a host`)
  return name
}

/** An address with its port; IPv6 in brackets, and by its family, so that nothing is looked up. */
export const endpoint = (address: string, port: number): string =>
  isIP(address) === 6 ? `ipv6@[${address}]:${port}` : `ipv4@${address}:${port}`

export function cidr(text: string): string {
  const [address = '', length = '', ...rest] = text.split('/')
  const family = isIP(address)
  const most = family === 6 ? 128 : 32
  if (family === 0 || rest.length > 0 || (length !== '' && !(/^\d{1,3}$/.test(length) && Number(length) <= most))) {
    throw invalid(`${JSON.stringify(text)} is no range of addresses`)
  }
  return length === '' ? address : `${address}/${length}`
}
