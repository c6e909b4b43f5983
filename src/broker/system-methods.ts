import { faultCodes, XmlRpcFault } from '../agent/xmlrpc/fault.js'
import { isStruct, type XmlRpcStruct, type XmlRpcValue } from '../agent/xmlrpc/value.js'
import { type Method, type Methods, method } from './method.js'

const MAX_CALLS = 1000

/** The methods by which XML-RPC libraries look around, and the one that makes many calls in one request. */
export function withSystemMethods(methods: Methods): Methods {
  const require = (name: string): Method => {
    const found = Object.hasOwn(all, name) ? all[name] : undefined
    if (found === undefined) throw new XmlRpcFault(faultCodes.methodNotFound, `there is no method ${name}`)
    return found
  }
  const all: Methods = {
    ...methods,
    'system.listMethods': method(['array'], 'Names of all methods.', () => Object.keys(all).sort()),
    'system.methodSignature': method(['array', 'string'], 'What a method returns, and what it takes.', (name) => {
      const { returns, params } = require(name)
      return [[returns, ...params]]
    }),
    'system.methodHelp': method(['string', 'string'], 'What a method does, in one line.', (name) => require(name).help),
    'system.multicall': method(
      ['array', 'array'],
      'Calls methods one after the other; each answers an array of its result, or a fault.',
      async (calls) => {
        if (calls.length > MAX_CALLS) throw invalid(`more than ${MAX_CALLS} calls`)
        const answers: XmlRpcValue[] = []
        for (const call of calls) answers.push(await oneOf(call, require))
        return answers
      },
    ),
  }
  return all
}

async function oneOf(call: XmlRpcValue, require: (name: string) => Method): Promise<XmlRpcValue> {
  try {
    const { methodName, params = [] } = isStruct(call) ? call : ({} as XmlRpcStruct)
    if (typeof methodName !== 'string' || !Array.isArray(params))
      throw invalid('a call is a struct of methodName and params')
    if (methodName === 'system.multicall') throw invalid('a multicall holds no other')
    return [await require(methodName).call(params as readonly XmlRpcValue[])]
  } catch (error) {
    if (error instanceof XmlRpcFault) return { faultCode: error.code, faultString: error.message }
    throw error
  }
}

const invalid = (why: string) => new XmlRpcFault(faultCodes.invalidRequest, why)
