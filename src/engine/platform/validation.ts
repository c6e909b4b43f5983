import { type ArgumentMetadata, type PipeTransform, ValidationPipe } from '@nestjs/common'
import { isUUID, type ValidationError } from 'class-validator'
import { type FieldFault, Invalid } from './errors.js'

/** Bad input, found before any handler ran: such a reply belongs to no idempotency key. */
export class BadInput extends Invalid {
  constructor(faults: readonly FieldFault[], extra: Extra = {}) {
    super(
      faults.length === 1 ? 'one field is at fault' : `${faults.length} fields are at fault`,
      faults,
      undefined,
      extra,
    )
  }
}

type Extra = Readonly<Record<string, unknown>>

const told = new WeakMap<object, Extra>()

/** What a problem with such an input tells beside its type. */
export function FaultsTell(extra: Extra): ClassDecorator {
  return (input) => {
    told.set(input, extra)
  }
}

export interface CodedFault extends FieldFault {
  /** The rule that it breaks: `isInt`, `unknownField`, … */
  readonly code: string
}

const MAX_FAULTS = 100

/** Every body and query against its class: unknown fields are refused, each field's fault is told. */
export class InputPipe extends ValidationPipe {
  constructor() {
    super({
      transform: true,
      whitelist: true,
      forbidNonWhitelisted: true,
      forbidUnknownValues: true,
      stopAtFirstError: false,
      validationError: { target: false, value: false },
      exceptionFactory: (errors: ValidationError[]) => new BadInput(faultsOf(errors).slice(0, MAX_FAULTS)),
    })
  }

  override async transform(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    try {
      return await this.checked(value, metadata)
    } catch (error) {
      const extra = metadata.metatype && told.get(metadata.metatype)
      throw extra && error instanceof BadInput ? new BadInput(error.faults, extra) : error
    }
  }

  private async checked(value: unknown, metadata: ArgumentMetadata): Promise<unknown> {
    if (metadata.type === 'body' && this.toValidate(metadata)) {
      // a missing body is an empty one: its fields are then what is missing
      const body = value ?? {}
      if (typeof body !== 'object' || Array.isArray(body) || value === null) {
        throw new BadInput([coded('', 'isObject', 'the body must be a JSON object')])
      }
      return super.transform(body, metadata)
    }
    return super.transform(value, metadata)
  }
}

/** A path parameter that is a UUID, in the one spelling that the database gives back. */
export class UuidPipe implements PipeTransform<unknown, string> {
  transform(value: unknown, metadata: ArgumentMetadata): string {
    if (isUUID(value)) return String(value).toLowerCase()
    const field = metadata.data ?? 'id'
    throw new BadInput([coded(field, 'isUuid', `${field} must be a UUID`)])
  }
}

/** The faults of a tree of class-validator's, by path: `members[0].address`. */
export function faultsOf(errors: readonly ValidationError[], parent = ''): CodedFault[] {
  return errors.flatMap((error) => {
    const field = join(parent, error.property)
    const own = Object.entries(error.constraints ?? {}).map(([code, message]) =>
      code === 'whitelistValidation'
        ? coded(field, 'unknownField', `there is no field ${error.property}`)
        : coded(field, code, message),
    )
    return [...own, ...faultsOf(error.children ?? [], field)]
  })
}

export const coded = (field: string, code: string, message: string): CodedFault => ({ field, message, code })

function join(parent: string, property: string): string {
  if (!parent) return property
  return /^\d+$/.test(property) ? `${parent}[${property}]` : `${parent}.${property}`
}
