import { registerDecorator } from 'class-validator'

const MAX_LABELS = 64
const KEY = /^[a-zA-Z0-9]([a-zA-Z0-9._/-]{0,126}[a-zA-Z0-9])?$/
const MAX_VALUE = 255

/** Labels: up to 64 keys of letters, digits and `._/-`, each with a text of up to 255 characters. */
export function IsLabels(): PropertyDecorator {
  return (target, property) => {
    registerDecorator({
      name: 'isLabels',
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: (value: unknown) => areLabels(value),
        defaultMessage: () =>
          `$property must have up to ${MAX_LABELS} keys of letters, digits and ._/- with texts of up to ${MAX_VALUE} characters`,
      },
    })
  }
}

function areLabels(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const entries = Object.entries(value)
  return (
    entries.length <= MAX_LABELS &&
    entries.every(([k, v]) => KEY.test(k) && typeof v === 'string' && v.length <= MAX_VALUE)
  )
}
