import { plainToInstance } from 'class-transformer'
import { type ValidationError, validateSync } from 'class-validator'
import './validation-rules.js'
import { storableText } from './text.js'

/** Far more than any message has. */
const MAX_DEPTH = 32

/** A message that does not fit its wire class; `fields` says where and how. */
export class WireError extends Error {
  constructor(
    what: string,
    readonly fields: readonly string[],
  ) {
    super(`${what} is not valid: ${fields.join('; ')}`)
    this.name = 'WireError'
  }
}

/**
 * The message as an instance of its class. Unknown fields are dropped, since wire changes are additive; U+FFFD stands for
 * what Postgres cannot hold, in keys too, so that all that a host says can be stored.
 * @throws WireError
 */
export function parseWire<T extends object>(type: new () => T, value: unknown): T {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new WireError(type.name, ['not an object'])
  }
  const fitness = fitnessOf(value, MAX_DEPTH)
  if (fitness === 'too-deep') throw new WireError(type.name, [`nested deeper than ${MAX_DEPTH} levels`])
  const instance = plainToInstance(type, fitness === 'storable' ? value : storable(value))
  const errors = validateSync(instance, { whitelist: true, forbidUnknownValues: true })
  if (errors.length > 0) throw new WireError(type.name, flatten(errors))
  return instance
}

type Fitness = 'storable' | 'unstorable' | 'too-deep'

/** Looks before anything is copied: hardly any message has anything to replace. */
function fitnessOf(value: unknown, levels: number): Fitness {
  if (typeof value === 'string') return storableText(value) === value ? 'storable' : 'unstorable'
  if (typeof value !== 'object' || value === null) return 'storable'
  if (levels === 0) return 'too-deep'
  let fitness: Fitness = 'storable'
  for (const key of Object.keys(value)) {
    // An object may be asked for whatever key it has.
    const found = fitnessOf((value as Record<string, unknown>)[key], levels - 1)
    if (found === 'too-deep') return found
    if (found === 'unstorable' || storableText(key) !== key) fitness = 'unstorable'
  }
  return fitness
}

function storable(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value)
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(storable)
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [storableText(key), storable(inner)]))
}

function flatten(errors: ValidationError[], path = ''): string[] {
  return errors.flatMap((error) => [
    ...Object.values(error.constraints ?? {}).map((text) => `${path}${text}`),
    ...flatten(error.children ?? [], `${path}${error.property}.`),
  ])
}
