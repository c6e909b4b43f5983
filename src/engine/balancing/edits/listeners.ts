import { isIP } from 'node:net'
import { insertableHeaders, type ListenerProtocol, poolProtocolsOf } from '../../../wire/balancing/terms.js'
import { Conflict, type FieldFault } from '../../platform/errors.js'
import type { Listener } from '../listener.entity.js'
import type { Pool } from '../pool.entity.js'
import type { Edit, Tree } from '../tree.js'
import { bounded } from './bounds.js'
import { cidrVersion } from './cidr.js'
import { faultWhen, refuse } from './faults.js'
import {
  altered,
  type Changes,
  changed,
  type Described,
  described,
  type Made,
  newPart,
  replaced,
  required,
} from './rows.js'

type ListenerAttributes = Described &
  Pick<
    Listener,
    | 'connectionLimit'
    | 'defaultPoolId'
    | 'allowedCidrs'
    | 'insertHeaders'
    | 'timeoutClientData'
    | 'timeoutMemberConnect'
    | 'timeoutMemberData'
    | 'timeoutTcpInspect'
    | 'defaultCertificateId'
    | 'sniCertificateIds'
  >

export type ListenerChange = Changes<ListenerAttributes>

export interface NewListener extends ListenerChange, Made {
  readonly protocol: ListenerProtocol
  readonly protocolPort: number
}

const listenerDefaults: ListenerAttributes = {
  ...described,
  connectionLimit: -1,
  defaultPoolId: null,
  allowedCidrs: [],
  insertHeaders: {},
  timeoutClientData: 50_000,
  timeoutMemberConnect: 5_000,
  timeoutMemberData: 50_000,
  timeoutTcpInspect: 0,
  defaultCertificateId: null,
  sniCertificateIds: [],
}

/** @throws Conflict `port-taken` */
export const createListener = (input: NewListener): Edit => bounded((tree) => addListener(tree, input))

/** Not bounded yet. */
export function addListener(tree: Tree, input: NewListener): Tree {
  const { id, protocol, protocolPort } = input
  const attributes = changed(listenerDefaults, input, listenerDefaults)
  const listener: Listener = { ...newPart(tree, id), protocol, protocolPort, ...attributes }
  refuse(faultsOf(listener, tree))
  requirePort(listener, tree)
  return { ...tree, listeners: [...tree.listeners, listener] }
}

export const updateListener = (id: string, input: ListenerChange): Edit =>
  bounded((tree) => {
    const listener = required(tree.listeners, id, 'listener')
    const next = altered<Listener>(listener, changed<ListenerAttributes>(listener, input, listenerDefaults))
    refuse(faultsOf(next, tree))
    return { ...tree, listeners: replaced(tree.listeners, next) }
  })

/** With its policies and their rules; pools stay. */
export const deleteListener =
  (id: string): Edit =>
  (tree) => {
    required(tree.listeners, id, 'listener')
    const l7Policies = tree.l7Policies.filter(({ listenerId }) => listenerId !== id)
    const kept = new Set(l7Policies.map((policy) => policy.id))
    return {
      ...tree,
      listeners: tree.listeners.filter((listener) => listener.id !== id),
      l7Policies,
      l7Rules: tree.l7Rules.filter(({ l7PolicyId }) => kept.has(l7PolicyId)),
    }
  }

/** Requests are seen one by one, and may be led, changed or refused. */
export const seesRequests = ({ protocol }: Pick<Listener, 'protocol'>): boolean =>
  protocol === 'HTTP' || protocol === 'TERMINATED_HTTPS'

export const unfit = (listener: Pick<Listener, 'protocol'>, pool: Pick<Pool, 'protocol'>, field: string) =>
  faultWhen(
    !poolProtocolsOf[listener.protocol].includes(pool.protocol),
    field,
    `a pool of protocol ${pool.protocol} does not fit a listener of protocol ${listener.protocol}`,
  )

function faultsOf(listener: Listener, tree: Tree): FieldFault[] {
  const { defaultPoolId, insertHeaders, protocol } = listener
  const pool = defaultPoolId === null ? null : required(tree.pools, defaultPoolId, 'pool')
  return [
    ...(pool ? unfit(listener, pool, 'defaultPoolId') : []),
    ...faultWhen(
      Object.keys(insertHeaders).length > 0 && !seesRequests(listener),
      'insertHeaders',
      `a listener of protocol ${protocol} inserts no headers`,
    ),
    ...Object.keys(insertHeaders).flatMap((name) =>
      faultWhen(
        !(insertableHeaders as readonly string[]).includes(name),
        'insertHeaders',
        `${name} is none of the headers that can be inserted: ${insertableHeaders.join(', ')}`,
      ),
    ),
    ...cidrFaults(listener, tree),
    ...certificateFaults(listener),
  ]
}

function cidrFaults({ allowedCidrs }: Listener, { loadBalancer }: Tree): FieldFault[] {
  const version = isIP(loadBalancer.vipAddress)
  return allowedCidrs.flatMap((cidr, index) => {
    const found = cidrVersion(cidr)
    const field = `allowedCidrs[${index}]`
    if (found === 0) return [{ field, message: `${cidr} is no CIDR` }]
    return faultWhen(version !== 0 && version !== found, field, `${cidr} is not of the IP version of the VIP address`)
  })
}

function certificateFaults({ protocol, defaultCertificateId, sniCertificateIds }: Listener): readonly FieldFault[] {
  const has = defaultCertificateId !== null || sniCertificateIds.length > 0
  if (protocol !== 'TERMINATED_HTTPS') {
    return faultWhen(has, 'defaultCertificateId', 'only listeners of protocol TERMINATED_HTTPS have certificates')
  }
  return faultWhen(!has, 'defaultCertificateId', 'a listener of protocol TERMINATED_HTTPS needs a certificate')
}

/** Ports are told apart by what carries them. */
function requirePort({ protocol, protocolPort }: Listener, { listeners }: Tree): void {
  const taken = listeners.find(
    (other) => other.protocolPort === protocolPort && transportOf(other.protocol) === transportOf(protocol),
  )
  if (!taken) return
  const message = `listener ${taken.id} of protocol ${taken.protocol} has the port ${protocolPort} already`
  throw new Conflict(message, 'port-taken', { listenerId: taken.id })
}

const transportOf = (protocol: ListenerProtocol): string =>
  protocol === 'UDP' || protocol === 'SCTP' ? protocol : 'TCP'
