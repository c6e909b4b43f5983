import type { Parameters } from './uri-text.js'

/** Where a storage connection leads to. Equal `target`: the same storage, however it was spelled (S13). */
export interface StorageAddress {
  readonly scheme: string
  readonly target: string
}

interface Rule {
  readonly accepts: (value: string) => boolean
  /** What it accepts, in words. */
  readonly takes: string
  /** Fields that must be given with it: `options.<name>`, `credentials.<name>`. */
  readonly needs?: readonly string[]
}

export interface OptionRule extends Rule {
  /**
   * `target`: how the target is connected; all ids that share it must agree. `id`: what one id asks of a target that is
   * connected anyway; each has its own.
   */
  readonly of: 'target' | 'id'
  /** The one spelling of a value. */
  readonly spelled?: (value: string) => string
  /** Saying it is like leaving it out. */
  readonly byDefault?: string
}

/** A secret. It is never in a URI, nor in a message. */
export type CredentialRule = Rule

/** All that there is to know of a scheme before a host is asked. */
export interface SchemeRules<A extends StorageAddress = StorageAddress> {
  /** Parameters of the URI that tell one target from another; they are no options. */
  readonly parameters: readonly string[]
  /** By name; each may stand in the URI's query instead. */
  readonly options: Readonly<Record<string, OptionRule>>
  readonly credentials: Readonly<Record<string, CredentialRule>>
  /** @throws BadArgument with the field `uri` */
  readonly addressOf: (rest: string, parameters: Parameters) => A
}

/** Given as '' or 'true'. */
export const flag: OptionRule = {
  of: 'target',
  accepts: (value) => value === '' || value === 'true',
  takes: "'' or 'true'",
  spelled: () => '',
}

export const oneOf = (values: readonly string[], byDefault?: string): OptionRule => ({
  of: 'target',
  accepts: (value) => values.includes(value),
  takes: values.join(', '),
  byDefault,
})

export const wholeNumber = (from: number, to: number): OptionRule => ({
  of: 'target',
  accepts: (value) => /^(0|[1-9]\d{0,9})$/.test(value) && Number(value) >= from && Number(value) <= to,
  takes: `a whole number from ${from} to ${to}`,
})

export const text = (form: RegExp, takes: string): OptionRule => ({
  of: 'target',
  accepts: (value) => form.test(value),
  takes,
})
