/**
 * What XML-RPC carries, as JavaScript has it: int, i4, i8 and whole doubles are numbers (a bigint beyond 2^53), dateTime.iso8601
 * is a Date (UTC where it names no offset), base64 is bytes, nil is null.
 */
export type XmlRpcValue =
  | number
  | bigint
  | boolean
  | string
  | Date
  | Uint8Array
  | null
  | readonly XmlRpcValue[]
  | XmlRpcStruct

export interface XmlRpcStruct {
  readonly [name: string]: XmlRpcValue
}

export interface XmlRpcCall {
  readonly method: string
  readonly params: readonly XmlRpcValue[]
}

export const isStruct = (value: XmlRpcValue | undefined): value is XmlRpcStruct =>
  typeof value === 'object' &&
  value !== null &&
  !Array.isArray(value) &&
  !(value instanceof Date) &&
  !(value instanceof Uint8Array)
