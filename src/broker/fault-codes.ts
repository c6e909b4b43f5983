import { faultCodes, XmlRpcFault } from '../agent/xmlrpc/fault.js'

/**
 * What a broker's methods answer when they do not do what was asked, beside the codes of XML-RPC itself (docs/broker.md).
 * They are stable: programs tell faults apart by them.
 */
export const brokerFaults = {
  invalidParams: -32602,
  storageUnavailable: 100,
  storageStuck: 101,
  tooLarge: 102,
  hostIdOutOfRange: 103,
  hostIdMismatch: 104,
  hostIdInUse: 105,
  unknownMonitorType: 110,
  unknownMonitor: 111,
  invalidOption: 112,
} as const

export type BrokerFault = keyof typeof brokerFaults

export const fault = (name: BrokerFault, message: string): XmlRpcFault => new XmlRpcFault(brokerFaults[name], message)

export const allFaults: Readonly<Record<string, number>> = { ...faultCodes, ...brokerFaults }
