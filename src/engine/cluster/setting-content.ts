import { registerDecorator } from 'class-validator'
import { MAX_ENTRIES } from '../platform/setting-keys.js'

export const MAX_ENTRY_LENGTH = 100

/** A whole number, or a list of texts; what a setting makes of it is looked at by the setting. */
export function IsSettingContent(): PropertyDecorator {
  return (target, property) => {
    registerDecorator({
      name: 'isSettingContent',
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: (value: unknown) => Number.isSafeInteger(value) || areEntries(value),
        defaultMessage: () => `$property must be an integer, or a list of up to ${MAX_ENTRIES} texts`,
      },
    })
  }
}

const areEntries = (value: unknown): boolean =>
  Array.isArray(value) &&
  value.length <= MAX_ENTRIES &&
  value.every((entry) => typeof entry === 'string' && entry.length <= MAX_ENTRY_LENGTH)
