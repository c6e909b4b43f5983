import { BadArgument } from './bad-argument.js'
import type { CredentialRule, OptionRule, SchemeRules } from './scheme-rules.js'
import { readUri, type StorageUri } from './uri.js'

export type StorageOptions = Readonly<Record<string, string>>
export type StorageCredentials = Readonly<Record<string, string>>

/** As somebody says them. */
export interface StorageArguments {
  readonly uri: string
  readonly options?: StorageOptions
  readonly credentials?: StorageCredentials
  /** Names of credentials that are held already and stay: their texts are not given again. `any`: whatever is needed. */
  readonly heldCredentials?: readonly string[] | 'any'
}

/** What they mean: equal for all that means the same. */
export interface ReadArguments {
  readonly uri: StorageUri
  /** How the target is connected: all ids that share it must agree. */
  readonly options: StorageOptions
  /** What this id asks of the target, beside the others. */
  readonly own: StorageOptions
  readonly credentials: StorageCredentials
  /** Fields that are needed, and held elsewhere: without them it cannot be connected. */
  readonly missing: readonly string[]
}

const MAX_CREDENTIALS = 8

/** The one check of what a storage connection is asked for with, on both sides of the wire. @throws BadArgument */
export function readArguments(asked: StorageArguments): ReadArguments {
  const { uri, options = {}, credentials = {}, heldCredentials = [] } = asked
  const { address, rules, options: inUri } = readUri(uri)
  const read = readOptions(address.scheme, rules, options, inUri)
  checkCredentials(address.scheme, rules, credentials)
  const held = heldCredentials === 'any' ? Object.keys(rules.credentials) : heldCredentials
  const names = Object.keys({ ...read.options, ...read.own })
  const missing = checkNeeds(rules, names, Object.keys(credentials), held)
  return { uri: address, ...read, credentials, missing }
}

function readOptions(
  scheme: string,
  rules: SchemeRules,
  given: StorageOptions,
  inUri: ReadonlyMap<string, string>,
): Pick<ReadArguments, 'options' | 'own'> {
  const sorted: Record<OptionRule['of'], Record<string, string>> = { target: {}, id: {} }
  const take = (field: string, name: string, value: unknown) => {
    const rule = Object.hasOwn(rules.options, name) ? rules.options[name] : undefined
    if (rule === undefined) throw new BadArgument(field, unknownName(scheme, 'option', name, rules.options))
    if (typeof value !== 'string' || !rule.accepts(value)) {
      throw new BadArgument(field, `${scheme}: the option ${name} takes ${rule.takes}, not ${JSON.stringify(value)}`)
    }
    const spelled = rule.spelled?.(value) ?? value
    if (spelled !== rule.byDefault) sorted[rule.of][name] = spelled
  }
  for (const [name, value] of inUri) take('uri', name, value)
  for (const [name, value] of Object.entries(given)) {
    if (inUri.has(name)) throw new BadArgument(`options.${name}`, `${scheme}: the URI says ${name} already`)
    take(`options.${name}`, name, value)
  }
  return { options: sorted.target, own: sorted.id }
}

function checkCredentials(scheme: string, rules: SchemeRules, credentials: StorageCredentials): void {
  const entries = Object.entries(credentials)
  if (entries.length > MAX_CREDENTIALS) throw new BadArgument('credentials', `at most ${MAX_CREDENTIALS} credentials`)
  for (const [name, value] of entries) {
    const rule: CredentialRule | undefined = Object.hasOwn(rules.credentials, name)
      ? rules.credentials[name]
      : undefined
    const field = `credentials.${name}`
    if (rule === undefined) throw new BadArgument(field, unknownName(scheme, 'credential', name, rules.credentials))
    // not what it is: it may be the secret with a letter too many
    if (typeof value !== 'string' || !rule.accepts(value)) {
      throw new BadArgument(field, `${scheme}: the credential ${name} takes ${rule.takes}`)
    }
  }
}

/** @returns what is needed, not given, and held */
function checkNeeds(
  rules: SchemeRules,
  options: readonly string[],
  credentials: readonly string[],
  held: readonly string[],
): string[] {
  const given = new Map<string, readonly string[]>([
    ...options.map((name) => [`options.${name}`, rules.options[name]?.needs ?? []] as const),
    ...credentials.map((name) => [`credentials.${name}`, rules.credentials[name]?.needs ?? []] as const),
  ])
  const there = new Set(held.map((name) => `credentials.${name}`))
  const missing = [...given].flatMap(([field, needs]) =>
    needs.filter((need) => !given.has(need)).map((need) => ({ field, need })),
  )
  const fault = missing.find(({ need }) => !there.has(need))
  if (fault !== undefined) throw new BadArgument(fault.need, `is needed with ${fault.field}`)
  return missing.map(({ need }) => need)
}

/** Of two that were read, or are of one scheme in its spelling. */
export function sameOptions(a: StorageOptions, b: StorageOptions): boolean {
  const [left, right] = [Object.entries(a), Object.entries(b)]
  return left.length === right.length && left.every(([name, value]) => b[name] === value)
}

/** Names of those that one has and the other has not, or says otherwise, in alphabetical order. */
export const differingOptions = (a: StorageOptions, b: StorageOptions): string[] =>
  [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((name) => a[name] !== b[name]).sort()

function unknownName(scheme: string, what: string, name: string, known: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(known)
  const there = names.length === 0 ? 'it takes none' : names.join(', ')
  return `${scheme}: has no ${what} ${JSON.stringify(name)}: ${there}`
}
