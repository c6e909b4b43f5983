import { applyDecorators } from '@nestjs/common'
import { IsInt, Matches, Max, Min, registerDecorator } from 'class-validator'

/** Beyond it a time of HAProxy's is none. */
export const MAX_TIMEOUT_MS = 2_147_483_647
export const MAX_PORT = 65_535

/** One line, as it may stand in a configuration. */
export const IsLine = (maxLength: number, minLength = 0, { each = false } = {}): PropertyDecorator =>
  Matches(new RegExp(`^[^\\p{Cc}\\p{Zl}\\p{Zp}]{${minLength},${maxLength}}$`, 'u'), {
    each,
    message: `${each ? 'each of ' : ''}$property must have ${minLength} to ${maxLength} characters, none of them a control character`,
  })

export const IsPort = (): PropertyDecorator => applyDecorators(IsInt(), Min(1), Max(MAX_PORT))

export const IsTimeoutMs = (): PropertyDecorator => applyDecorators(IsInt(), Min(0), Max(MAX_TIMEOUT_MS))

/** Names with true or false; which names there are is an edit's to say. */
export function IsInsertHeaders(): PropertyDecorator {
  return (target, property) => {
    registerDecorator({
      name: 'isInsertHeaders',
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: areSwitches,
        defaultMessage: () => '$property must be names of headers with true or false',
      },
    })
  }
}

function areSwitches(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const switches = Object.values(value)
  return switches.length <= 16 && switches.every((one) => typeof one === 'boolean')
}
