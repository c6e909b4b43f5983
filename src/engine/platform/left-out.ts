import { ValidateIf } from 'class-validator'

/** The property may be left out; null is none of its values, and is refused by what else is said of it. */
export const MayBeLeftOut = (): PropertyDecorator => ValidateIf((_, value) => value !== undefined)
