import { Unsupported } from '../../platform/errors.js'
import { BadInput, type CodedFault, coded } from '../../platform/validation.js'
import { isUuid } from './list-sql.js'

/** What a value is to be; clients send numbers and booleans as text as well. */
type InputKind = 'text' | 'id' | 'integer' | 'version' | 'boolean' | 'texts' | 'flags' | 'reference' | 'references'

/** An attribute that a body may have. */
export interface InputAttribute {
  readonly kind: InputKind | { readonly one: InputTable } | { readonly many: InputTable }
  /** Its name in this plane. Null: it is looked at, and means nothing here. */
  readonly to: string | null
  /** Taken when the thing is made, and never again. */
  readonly once?: true
  /** It has no default: it is said when the thing is made, and null puts nothing back. */
  readonly needed?: true
  /** This plane has nothing of the kind: only a value that asks for nothing is taken. */
  readonly unsupported?: true
  /** What is wrong with a value that asks for something, beside the others of its object; null: nothing. */
  readonly vet?: (value: unknown, others: Readonly<Record<string, unknown>>) => string | null
}

/** By snake_case name. */
export type InputTable = Readonly<Record<string, InputAttribute>>

export type Purpose = 'create' | 'update'
export type Input = Record<string, unknown>

/**
 * The body's one thing, named and spelled as this plane does. What is null is left out when a thing is made; in a change it says
 * the default.
 * @throws BadInput for what there is not, and values of another kind; Unsupported
 */
export function readInput(table: InputTable, envelope: string, body: unknown, purpose: Purpose): Input {
  return readObject(table, unwrap(envelope, body), purpose, '')
}

/** @throws BadInput where the body is not `{"<envelope>": {…}}` */
export function unwrap(envelope: string, body: unknown): Record<string, unknown> {
  const names = isObject(body) ? Object.keys(body) : []
  const inner = isObject(body) ? body[envelope] : undefined
  if (names.length !== 1 || !isObject(inner)) throw refused(envelope, `The body must be {"${envelope}": {…}}`)
  return inner
}

export function readObject(table: InputTable, given: Record<string, unknown>, purpose: Purpose, at: string): Input {
  const faults: CodedFault[] = []
  const input: Input = {}
  let unsupported: string | null = null
  for (const [name, value] of Object.entries(given)) {
    const field = `${at}${name}`
    const attribute = Object.hasOwn(table, name) ? table[name] : undefined
    const fault = faultOf(attribute, { field, name, value, purpose, given })
    const read = attribute && !fault ? readValue(attribute, value, purpose, field) : NOTHING
    if (fault) faults.push(fault)
    else if (read === BAD) faults.push(ofAnotherType(field, value))
    else if (read === UNSUPPORTED) unsupported ??= field
    else if (attribute?.to && read !== NOTHING) input[attribute.to] = read
  }
  if (purpose === 'create') faults.push(...missingIn(table, given, at))
  if (faults.length > 0) throw new BadInput(faults)
  if (unsupported) throw new Unsupported(`The provider does not support ${unsupported}.`)
  return input
}

function missingIn(table: InputTable, given: Readonly<Record<string, unknown>>, at: string): CodedFault[] {
  const said = (name: string) => given[name] !== undefined && given[name] !== null
  const known = Object.entries(table)
  return known.flatMap(([name, { needed, to }]) => {
    const isSaid = !needed || known.some(([other, attribute]) => attribute.to === to && said(other))
    return isSaid ? [] : [coded(`${at}${name}`, 'mandatory', 'Mandatory field missing')]
  })
}

interface Said {
  readonly field: string
  readonly name: string
  readonly value: unknown
  readonly purpose: Purpose
  readonly given: Readonly<Record<string, unknown>>
}

function faultOf(attribute: InputAttribute | undefined, { field, name, value, purpose, given }: Said) {
  if (!attribute || (attribute.once && purpose === 'update'))
    return coded(field, 'unknownField', `Unknown attribute: ${name}`)
  const message = asksFor(value) ? attribute.vet?.(value, given) : null
  return message ? coded(field, 'value', message) : null
}

const ofAnotherType = (field: string, value: unknown): CodedFault =>
  coded(field, 'type', `Value: ${JSON.stringify(value).slice(0, 100)}. It is of another type`)

const BAD = Symbol('of another type')
const NOTHING = Symbol('left out')
const UNSUPPORTED = Symbol('asks for what there is not')

function readValue(attribute: InputAttribute, value: unknown, purpose: Purpose, field: string): unknown {
  if (attribute.unsupported && asksFor(value)) return UNSUPPORTED
  if (value === null && purpose === 'update') return attribute.needed ? BAD : null
  if (value === null) return NOTHING
  const { kind } = attribute
  if (typeof kind === 'string') return readers[kind](value)
  if ('one' in kind) return isObject(value) ? readObject(kind.one, value, purpose, `${field}.`) : BAD
  if (!Array.isArray(value)) return BAD
  return value.map((one: unknown, index) => {
    if (!isObject(one)) throw refused(`${field}[${index}]`, 'It is of another type')
    return readObject(kind.many, one, purpose, `${field}[${index}].`)
  })
}

const readers: Readonly<Record<InputKind, (value: unknown) => unknown>> = {
  text: (value) => (typeof value === 'string' ? value : typeof value === 'number' ? String(value) : BAD),
  id: (value) => (isUuid(value) ? String(value).toLowerCase() : BAD),
  integer: (value) => {
    const number = numberOf(value)
    return Number.isSafeInteger(number) ? number : BAD
  },
  // a number, of which 1.0 is 1 in JSON
  version: (value) => {
    const number = numberOf(value)
    return Number.isFinite(number) ? number.toFixed(1) : BAD
  },
  boolean: (value) => {
    if (typeof value === 'boolean') return value
    const word = String(value).toLowerCase()
    if (['true', '1', 'yes', 'on', 't', 'y'].includes(word)) return true
    return ['false', '0', 'no', 'off', 'f', 'n'].includes(word) ? false : BAD
  },
  texts: (value) => (Array.isArray(value) && value.every((one) => typeof one === 'string') ? value : BAD),
  flags: (value) => (isObject(value) ? flagsOf(value) : BAD),
  reference: (value) => (typeof value === 'string' ? idOf(value) : BAD),
  references: (value) =>
    Array.isArray(value) && value.every((one) => typeof one === 'string') ? value.map(idOf) : BAD,
}

/** Clients write true and false as texts; what is neither is found by who knows the names. */
const flagsOf = (given: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(given).map(([name, value]) => {
      const word = String(value).toLowerCase()
      return [name, word === 'true' || word === 'false' ? word === 'true' : value]
    }),
  )

/** A secret is referred to by the address that a key manager has it at: its last part is its id. */
const idOf = (reference: string): string => (reference.split('/').at(-1) ?? '').toLowerCase()

export const numberOf = (value: unknown): number =>
  typeof value === 'number' || (typeof value === 'string' && /^-?\d+(\.\d+)?$/.test(value.trim()))
    ? Number(value)
    : Number.NaN

/** Not so: null, nothing, and what Octavia shows for it where it is unset. */
function asksFor(value: unknown): boolean {
  const nothing = value === null || value === false || value === '' || value === 'NONE'
  return !nothing && !(Array.isArray(value) && value.length === 0)
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const refused = (field: string, message: string): BadInput => new BadInput([coded(field, 'octavia', message)])
