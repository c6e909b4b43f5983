import { readXml, type XmlElement } from './document.js'
import { faultCodes, XmlRpcFault } from './fault.js'
import type { XmlRpcCall, XmlRpcValue } from './value.js'

/** A value takes up to four elements for each level: value, struct, member, value. */
const LIMITS = { maxDepth: 130, maxElements: 20_000 }

const METHOD = /^[\w.:/]{1,255}$/
const INT = /^[+-]?\d{1,19}$/
const DOUBLE = /^[+-]?\d+(\.\d*)?(e[+-]?\d{1,3})?$|^[+-]?\.\d+(e[+-]?\d{1,3})?$/i
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const DATE_TIME = /^(\d{4})-?(\d\d)-?(\d\d)T(\d\d):?(\d\d):?(\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?$/
const INT32 = 2n ** 31n
const INT64 = 2n ** 63n

/** @throws XmlRpcFault */
export function readCall(body: Uint8Array): XmlRpcCall {
  const root = readXml(body, LIMITS)
  if (root.name !== 'methodCall') throw invalid(`<${root.name}> is no <methodCall>`)
  const [name, params, ...more] = onlyElements(root)
  if (name?.name !== 'methodName' || more.length > 0 || (params && params.name !== 'params'))
    throw invalid('a <methodCall> holds a <methodName> and <params>')
  const method = onlyText(name).trim()
  if (!METHOD.test(method)) throw invalid('the <methodName> is none')
  return { method, params: params ? onlyElements(params).map(valueOfParam) : [] }
}

function valueOfParam(param: XmlElement): XmlRpcValue {
  if (param.name !== 'param') throw invalid(`<${param.name}> among <params>`)
  return readValue(only(param))
}

/** The text of each type; a type that is not here is none of XML-RPC's. */
const readers: Readonly<Record<string, (element: XmlElement) => XmlRpcValue>> = {
  int: (element) => integer(element, INT32),
  i4: (element) => integer(element, INT32),
  i8: (element) => integer(element, INT64),
  boolean: (element) => {
    const text = onlyText(element).trim()
    if (text !== '0' && text !== '1') throw invalid('a <boolean> is 0 or 1')
    return text === '1'
  },
  string: onlyText,
  double: (element) => {
    const text = onlyText(element).trim()
    const value = Number(text)
    if (!DOUBLE.test(text) || !Number.isFinite(value)) throw invalid('a <double> is no number')
    return value
  },
  'dateTime.iso8601': (element) => dateTime(onlyText(element).trim()),
  base64: (element) => {
    const text = onlyText(element).replace(/\s+/g, '')
    if (!BASE64.test(text)) throw invalid('a <base64> is none')
    return Buffer.from(text, 'base64')
  },
  nil: (element) => {
    if (onlyText(element).trim() !== '') throw invalid('a <nil> holds something')
    return null
  },
  array: (element) => {
    const elements = only(element)
    if (elements.name !== 'data') throw invalid('an <array> holds <data>')
    return onlyElements(elements).map(readValue)
  },
  struct: (element) => {
    const members = onlyElements(element).map(memberOf)
    if (new Set(members.map(([name]) => name)).size < members.length) throw invalid('a <struct> names a member twice')
    // defines own properties, whatever they are called
    return Object.fromEntries(members)
  },
}

function readValue(element: XmlElement): XmlRpcValue {
  if (element.name !== 'value') throw invalid(`<${element.name}> instead of <value>`)
  if (element.children.length === 0) return element.text
  const typed = only(element)
  const read = Object.hasOwn(readers, typed.name) ? readers[typed.name] : undefined
  if (read === undefined) throw invalid(`<${typed.name}> is no type`)
  return read(typed)
}

function memberOf(member: XmlElement): [name: string, value: XmlRpcValue] {
  const [name, value, ...more] = onlyElements(member)
  if (member.name !== 'member' || name?.name !== 'name' || value === undefined || more.length > 0)
    throw invalid('a <struct> holds <member>s of a <name> and a <value>')
  return [onlyText(name), readValue(value)]
}

function integer(element: XmlElement, limit: bigint): number | bigint {
  const text = onlyText(element).trim()
  const value = INT.test(text) ? BigInt(text.replace('+', '')) : null
  if (value === null || value < -limit || value >= limit) throw invalid(`an <${element.name}> is none`)
  return Number.isSafeInteger(Number(value)) ? Number(value) : value
}

function dateTime(text: string): Date {
  const [, year, month, day, hour, minute, second, fraction = '0', offset = 'Z'] = DATE_TIME.exec(text) ?? []
  const zone = offset.replace(/^([+-]\d\d):?(\d\d)$/, '$1:$2')
  const local = `${year}-${month}-${day}T${hour}:${minute}:${second}`
  const date = new Date(`${local}.${fraction.slice(0, 3)}${zone}`)
  // Date takes the 30th of February for the 2nd of March
  const exists =
    year !== undefined && !Number.isNaN(date.getTime()) && new Date(`${local}Z`).toISOString().startsWith(local)
  if (!exists) throw invalid('a <dateTime.iso8601> is none')
  return date
}

function only(element: XmlElement): XmlElement {
  const [child, ...more] = onlyElements(element)
  if (child === undefined || more.length > 0) throw invalid(`a <${element.name}> holds one thing`)
  return child
}

function onlyElements(element: XmlElement): readonly XmlElement[] {
  if (element.text.trim() !== '') throw invalid(`text among the elements of <${element.name}>`)
  return element.children
}

function onlyText(element: XmlElement): string {
  if (element.children.length > 0) throw invalid(`elements in <${element.name}>`)
  return element.text
}

const invalid = (message: string) => new XmlRpcFault(faultCodes.invalidRequest, `this is no XML-RPC: ${message}`)
