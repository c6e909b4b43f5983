/** The numbers that XML-RPC libraries agree on for what goes wrong below a method ("Specification for Fault Code Interoperability"). */
export const faultCodes = {
  notWellFormed: -32700,
  unsupportedEncoding: -32701,
  invalidCharacter: -32702,
  invalidRequest: -32600,
  methodNotFound: -32601,
  internal: -32603,
  late: -32500,
} as const

/** Answered as a `<fault>`: the call was not understood, or not carried out to its end. */
export class XmlRpcFault extends Error {
  constructor(
    readonly code: number,
    message: string,
  ) {
    super(message)
    this.name = 'XmlRpcFault'
  }
}
