import type { XmlRpcFault } from './fault.js'
import type { XmlRpcStruct, XmlRpcValue } from './value.js'

const INT32 = 2 ** 31
const INT64 = 2n ** 63n
/** What XML 1.0 cannot hold, however it is written. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is replaced
const UNWRITABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]|\p{Surrogate}/gu
const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' }

export const writeReply = (value: XmlRpcValue): string =>
  wrapped(`<params><param>${valueElement(value)}</param></params>`)

export const writeFault = ({ code, message }: XmlRpcFault): string =>
  wrapped(`<fault>${valueElement({ faultCode: code, faultString: message })}</fault>`)

const wrapped = (content: string): string =>
  `<?xml version="1.0" encoding="UTF-8"?>\n<methodResponse>${content}</methodResponse>\n`

const valueElement = (value: XmlRpcValue): string => `<value>${typed(value)}</value>`

/** @throws RangeError where XML-RPC has no type for it */
function typed(value: XmlRpcValue): string {
  if (value === null) return '<nil/>'
  if (typeof value === 'string') return `<string>${escaped(value)}</string>`
  if (typeof value === 'boolean') return `<boolean>${value ? 1 : 0}</boolean>`
  if (typeof value === 'number') return numberElement(value)
  if (typeof value === 'bigint') return bigElement(value)
  if (value instanceof Date) return `<dateTime.iso8601>${basicFormat(value)}</dateTime.iso8601>`
  if (value instanceof Uint8Array) return `<base64>${Buffer.from(value).toString('base64')}</base64>`
  if (isArray(value)) return `<array><data>${value.map(valueElement).join('')}</data></array>`
  const members = Object.entries(value).map(([name, member]) => {
    return `<member><name>${escaped(name)}</name>${valueElement(member)}</member>`
  })
  return `<struct>${members.join('')}</struct>`
}

function numberElement(value: number): string {
  if (!Number.isFinite(value)) throw new RangeError(`XML-RPC has no ${value}`)
  if (!Number.isSafeInteger(value)) return `<double>${value}</double>`
  return value >= -INT32 && value < INT32 ? `<int>${value}</int>` : `<i8>${value}</i8>`
}

function bigElement(value: bigint): string {
  if (value < -INT64 || value >= INT64) throw new RangeError(`XML-RPC has no ${value}`)
  return `<i8>${value}</i8>`
}

/** 20260131T12:00:00, in UTC: the format has no place for an offset. */
const basicFormat = (date: Date): string => date.toISOString().slice(0, 19).replaceAll('-', '')

const escaped = (text: string): string =>
  text.replace(UNWRITABLE, '\ufffd').replace(/[&<>\r]/g, (character) => escapes[character]!)

/** Array.isArray does not narrow readonly arrays. */
const isArray = (value: readonly XmlRpcValue[] | XmlRpcStruct): value is readonly XmlRpcValue[] => Array.isArray(value)
