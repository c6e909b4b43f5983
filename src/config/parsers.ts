import { type Address, formatAddress, parseAddress } from './address.js'
import type { Key } from './key.js'

/** How a kind of value is read, named and shown; a table of keys adds the name, the meaning and the default. */
type Kind<T> = Pick<Key<T>, 'expects' | 'parse' | 'show'>

export const text: Kind<string> = { expects: 'text', parse: (value) => value || undefined, show: (value) => value }

export const optionalText: Kind<string | null> = {
  ...text,
  show: (value) => value ?? '(none)',
}

export const address: Kind<Address> = {
  expects: 'host:port',
  parse: parseAddress,
  show: formatAddress,
}

export const addresses: Kind<readonly Address[]> = {
  expects: 'host:port, several separated by commas',
  parse: (value) => {
    const parsed = value.split(',').map(parseAddress)
    return parsed.every((item) => item !== undefined) ? parsed : undefined
  },
  show: (value) => value.map(formatAddress).join(','),
}

export const urls: Kind<readonly string[]> = {
  expects: 'http:// or https:// addresses, several separated by commas',
  parse: (value) => {
    const parsed = value.split(',').map((item) => item.trim())
    return parsed.every((item) => /^https?:\/\/./.test(item) && URL.canParse(item))
      ? parsed.map((item) => item.replace(/\/+$/, ''))
      : undefined
  },
  show: (value) => value.join(','),
}

export function oneOf<const T extends string>(choices: readonly T[]): Kind<T> {
  return {
    expects: `one of ${choices.join(', ')}`,
    parse: (value) => choices.find((choice) => choice === value),
    show: (value) => value,
  }
}

export function integer(min: number, max: number): Kind<number> {
  return {
    expects: `a whole number from ${min} to ${max}`,
    parse: (value) => {
      const number = /^\d{1,15}$/.test(value) ? Number(value) : Number.NaN
      return number >= min && number <= max ? number : undefined
    },
    show: String,
  }
}

export function optionalInteger(min: number, max: number): Kind<number | null> {
  return { ...integer(min, max), show: (value) => (value === null ? '(none)' : String(value)) }
}

export function matching(pattern: RegExp, expects: string): Kind<string> {
  return { expects, parse: (value) => (pattern.test(value) ? value : undefined), show: (value) => value }
}

/** A postgres:// address; shown without its password. */
export const databaseUrl: Kind<string | null> = {
  expects: 'a postgres:// address',
  parse: (value) => (/^postgres(ql)?:\/\/./.test(value) && URL.canParse(value) ? value : undefined),
  show: (value) => {
    if (value === null) return '(none: an embedded Postgres)'
    const url = new URL(value)
    if (url.password) url.password = '***'
    if (url.searchParams.has('password')) url.searchParams.set('password', '***')
    return url.href
  },
}
