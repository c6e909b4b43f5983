import { type FieldFault, Invalid } from '../../platform/errors.js'

/** @throws Invalid that says all of them */
export function refuse(faults: readonly FieldFault[]): void {
  if (faults.length > 0) throw new Invalid(faults.map(({ message }) => message).join('; '), faults)
}

/** A fault where a rule is broken, and else nothing: for lists of rules. */
export const faultWhen = (isBroken: boolean, field: string, message: string): readonly FieldFault[] =>
  isBroken ? [{ field, message }] : []

/** What is invalid in a part of a larger input is told by its path there. */
export function within<T>(path: string, part: () => T): T {
  try {
    return part()
  } catch (error) {
    if (!(error instanceof Invalid)) throw error
    const faults = error.faults.map(({ field, message }) => ({ field: `${path}.${field}`, message }))
    throw new Invalid(error.message, faults, error.type, error.extra)
  }
}
