import { registerDecorator } from 'class-validator'

const MAX_OPTIONS = 32
const NAME = /^[a-zA-Z][a-zA-Z0-9_.-]{0,63}$/
const MAX_VALUE = 1_024

/** Driver options: up to 32 names with texts. Which names there are is the driver's to say. */
export function IsOptions(): PropertyDecorator {
  return (target, property) => {
    registerDecorator({
      name: 'isOptions',
      target: target.constructor,
      propertyName: String(property),
      validator: {
        validate: (value: unknown) => areOptions(value),
        defaultMessage: () =>
          `$property must be up to ${MAX_OPTIONS} names with texts of up to ${MAX_VALUE} characters`,
      },
    })
  }
}

function areOptions(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const entries = Object.entries(value)
  return (
    entries.length <= MAX_OPTIONS &&
    entries.every(([k, v]) => NAME.test(k) && typeof v === 'string' && v.length <= MAX_VALUE)
  )
}
