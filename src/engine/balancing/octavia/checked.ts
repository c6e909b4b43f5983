import type { Type } from '@nestjs/common'
import { InputPipe } from '../../platform/validation.js'
import type { Input } from './input.js'

const pipe = new InputPipe()

/** The input as the class of our own face takes it: what is wrong there is wrong here. @throws BadInput */
export async function checked<T extends object>(metatype: Type<T>, input: Input): Promise<T> {
  // the pipe makes an instance of the class, or throws
  return (await pipe.transform(input, { type: 'body', metatype })) as T
}
