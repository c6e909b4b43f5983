import { FaultError, faultOf } from '../fault.js'
import type { Logger } from '../logger.js'
import type { XmlRpcMethod, XmlRpcMethods } from '../xmlrpc/server.js'
import { isStruct, type XmlRpcStruct, type XmlRpcValue } from '../xmlrpc/value.js'
import { badArguments } from './faults.js'
import type { HeldConnection } from './held.js'
import type { OwnConnections } from './own-connections.js'
import type { Sighting } from './sightings.js'

export interface VerbsOptions {
  readonly own: Pick<OwnConnections, 'manage' | 'unmanage'>
  readonly held: () => readonly HeldConnection[]
  readonly unmanaged: () => Promise<readonly Sighting[]>
  /** How many more unmanaged ones there were at the last look. */
  readonly untold: () => number
  readonly logger: Logger
}

const DONE = { code: 0, message: 'Done' }
const GENERAL = 100

/**
 * The three verbs of VDSM's proposal for programs on this host (docs/local-verbs.md). All answer in VDSM's shape,
 * `{ status: { code, message }, … }`; what was not done also names the stable type of the fault.
 */
export const storageVerbs = ({ own, held, unmanaged, untold, logger }: VerbsOptions): XmlRpcMethods => {
  const verb = (work: (params: readonly XmlRpcValue[]) => Promise<XmlRpcStruct>): XmlRpcMethod => {
    return async (params) => {
      try {
        return { status: DONE, ...(await work(params)) }
      } catch (error) {
        if (!(error instanceof FaultError)) logger.error({ err: error }, 'a local storage verb broke')
        const { type, message, number = GENERAL } = faultOf(error)
        return { status: { code: number, message, type } }
      }
    }
  }
  return {
    manageStorageServer: verb(async (params) => {
      atMost(params, 4)
      const [uri, connectionId, options, credentials] = params
      const asked = {
        uri: textOf('uri', uri),
        options: textsOf('options', options),
        credentials: textsOf('credentials', credentials),
      }
      await own.manage(textOf('connectionId', connectionId), asked)
      return {}
    }),
    unmanageStorageServer: verb(async (params) => {
      atMost(params, 1)
      await own.unmanage(textOf('connectionId', params[0]))
      return {}
    }),
    getStorageServerList: verb(async (params) => {
      atMost(params, 0)
      const sightings = await unmanaged()
      const connections = Object.fromEntries([...held().map(heldEntry), ...sightings.map(unmanagedEntry)])
      return { connections, untold: untold() }
    }),
  }
}

/** An own id stands as it is; ids of others have a '/' before them, which no own one can have. */
function heldEntry(held: HeldConnection): [key: string, entry: XmlRpcStruct] {
  const { connectionId, origin, uri, target, options, status, fault, faultAt } = held
  return [
    origin === 'host' ? connectionId : `${origin}/${connectionId}`,
    {
      connectionInfo: { uri, target, options },
      connected: isConnected(status),
      managed: true,
      origin,
      status,
      ...lastError(fault, faultAt),
    },
  ]
}

function unmanagedEntry({ id, uri, mountPoint, status, fault }: Sighting): [key: string, entry: XmlRpcStruct] {
  return [
    `unmanaged/${id}`,
    {
      connectionInfo: { uri, target: uri, options: {}, ...(mountPoint !== null && { mountPoint }) },
      connected: isConnected(status),
      managed: false,
      status,
      ...lastError(fault, fault?.at ?? null),
    },
  ]
}

const isConnected = (status: string): boolean => status === 'UP' || status === 'DEGRADED'

/** Left out where there is none: not every XML-RPC library knows nil. */
function lastError(fault: HeldConnection['fault'], at: string | null): XmlRpcStruct {
  if (fault === null) return {}
  const { type, message, number = GENERAL } = fault
  return { lastError: { code: number, type, message, ...(at !== null && { at: new Date(at) }) } }
}

function atMost(params: readonly XmlRpcValue[], count: number): void {
  if (params.length > count) throw badArguments(`the verb takes ${count} arguments at most, not ${params.length}`)
}

function textOf(name: string, value: XmlRpcValue | undefined): string {
  if (typeof value === 'string' && value !== '') return value
  throw badArguments(`${name} is missing, or no text`)
}

/** What is no text is not repeated: it may be a secret. */
function textsOf(what: string, value: XmlRpcValue | undefined): Record<string, string> {
  if (value === undefined || value === null) return {}
  if (!isStruct(value)) throw badArguments(`${what} is no struct of texts`)
  const texts = Object.entries(value).map(([name, text]): [string, string] => {
    if (typeof text !== 'string') throw badArguments(`${what}.${name} is no text`)
    return [name, text]
  })
  return Object.fromEntries(texts)
}
