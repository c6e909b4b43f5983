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
  /** Names of credentials that are held already and stay: their texts are not given again. */
  readonly heldCredentials?: readonly string[]
}

/** What they mean: equal for all that means the same. */
export interface ReadArguments {
  readonly uri: StorageUri
  /** How the target is connected: all ids that share it must agree. */
  readonly options: StorageOptions
  /** What this id asks of the target, beside the others. */
  readonly own: StorageOptions
  readonly credentials: StorageCredentials
}

const MAX_CREDENTIALS = 8

/** The one check of what a storage connection is asked for with, on both sides of the wire. @throws BadArgument */
export function readArguments(asked: StorageArguments): ReadArguments {
  const { uri, options = {}, credentials = {}, heldCredentials = [] } = asked
  const { address, rules, options: inUri } = readUri(uri)
  const read = readOptions(address.scheme, rules, options, inUri)
  checkCredentials(address.scheme, rules, credentials)
  checkNeeds(rules, Object.keys({ ...read.options, ...read.own }), [...Object.keys(credentials), ...heldCredentials])
  return { uri: address, ...read, credentials }
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

function checkNeeds(rules: SchemeRules, options: readonly string[], credentials: readonly string[]): void {
  const given = new Map<string, readonly string[]>([
    ...options.map((name) => [`options.${name}`, rules.options[name]?.needs ?? []] as const),
    ...credentials.map((name) => [`credentials.${name}`, rules.credentials[name]?.needs ?? []] as const),
  ])
  for (const [field, needs] of given) {
    const missing = needs.find((need) => !given.has(need))
    if (missing !== undefined) throw new BadArgument(missing, `is needed with ${field}`)
  }
}

/** Of two that were read, or are of one scheme in its spelling. */
export function sameOptions(a: StorageOptions, b: StorageOptions): boolean {
  const [left, right] = [Object.entries(a), Object.entries(b)]
  return left.length === right.length && left.every(([name, value]) => b[name] === value)
}

function unknownName(scheme: string, what: string, name: string, known: Readonly<Record<string, unknown>>): string {
  const names = Object.keys(known)
  const there = names.length === 0 ? 'it takes none' : names.join(', ')
  return `${scheme}: has no ${what} ${JSON.stringify(name)}: ${there}`
}
