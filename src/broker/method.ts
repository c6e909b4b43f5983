import type { XmlRpcStruct, XmlRpcValue } from '../agent/xmlrpc/value.js'
import { isStruct } from '../agent/xmlrpc/value.js'
import { fault } from './fault-codes.js'

/** As `system.methodSignature` names them. */
export type TypeName = 'int' | 'string' | 'base64' | 'struct' | 'array'

interface Types {
  readonly int: number
  readonly string: string
  readonly base64: Uint8Array
  readonly struct: XmlRpcStruct
  readonly array: readonly XmlRpcValue[]
}

type Values<P extends readonly TypeName[]> = { readonly [I in keyof P]: Types[P[I]] }

/** One call of the broker (B4): what it takes, what it gives, and a small function that does it. */
export interface Method {
  readonly returns: TypeName
  readonly params: readonly TypeName[]
  /** One line, for `system.methodHelp`. */
  readonly help: string
  /** @throws XmlRpcFault */
  readonly call: (params: readonly XmlRpcValue[]) => Promise<XmlRpcValue>
}

export type Methods = Readonly<Record<string, Method>>

const checks: { readonly [T in TypeName]: (value: XmlRpcValue) => boolean } = {
  int: (value) => typeof value === 'number' && Number.isInteger(value),
  string: (value) => typeof value === 'string',
  base64: (value) => value instanceof Uint8Array,
  struct: (value) => isStruct(value),
  array: (value) => Array.isArray(value),
}

/** Number and types of the arguments are checked before `work` has them. */
export function method<const P extends readonly TypeName[]>(
  [returns, ...params]: readonly [TypeName, ...P],
  help: string,
  work: (...params: Values<P>) => Promise<XmlRpcValue> | XmlRpcValue,
): Method {
  return {
    returns,
    params,
    help,
    call: async (given) => {
      if (given.length !== params.length)
        throw fault('invalidParams', `it takes ${params.length} arguments (${params.join(', ')}), not ${given.length}`)
      params.forEach((type, i) => {
        if (!checks[type](given[i]!)) throw fault('invalidParams', `argument ${i + 1} is no ${type}`)
      })
      // each was just checked to be what its type says
      return work(...(given as unknown as Values<P>))
    },
  }
}
