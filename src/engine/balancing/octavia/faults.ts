import { DomainError, type FieldFault, Invalid, NotFound } from '../../platform/errors.js'
import type { ProblemReply } from '../../platform/problem.js'

export interface OctaviaFault {
  readonly faultcode: 'Client' | 'Server'
  readonly faultstring: string
  readonly debuginfo: null
}

/** Where Octavia says another status than we do, by the type of the problem. */
const statuses: Readonly<Record<string, number>> = {
  invalid: 400,
  'quota-exceeded': 403,
  'not-supported': 501,
  'unsupported-media-type': 400,
  // to clients 409 says that the balancer is busy
  'no-room': 503,
}

const resourceNames: Readonly<Record<string, string>> = {
  loadBalancers: 'Load Balancer',
  listeners: 'Listener',
  pools: 'Pool',
  members: 'Member',
  healthMonitors: 'Health Monitor',
  l7Policies: 'L7Policy',
  l7Rules: 'L7Rule',
}

/** Any error as Octavia tells it. Its status is ours but for a few. */
export function faultOf(error: unknown, { status, headers, body }: ProblemReply) {
  const type = error instanceof DomainError ? error.type : ''
  const told = statuses[type] ?? (status === 422 ? 400 : status)
  const fault: OctaviaFault = {
    faultcode: told >= 500 ? 'Server' : 'Client',
    faultstring: wordsOf(error, String(body.detail)),
    debuginfo: null,
  }
  const requestId = { 'x-openstack-request-id': openstackId(String(body.requestId)) }
  return { status: told, headers: { ...headers, ...requestId }, body: fault }
}

/** As OpenStack's services name requests. */
export const openstackId = (requestId: string): string => `req-${requestId}`

function wordsOf(error: unknown, detail: string): string {
  if (!(error instanceof DomainError)) return detail
  if (error.type === 'quota-exceeded') {
    const resource = String(error.extra.resource)
    return `Quota has been met for resources: ${resourceNames[resource] ?? resource}`
  }
  // a network here is Octavia's subnet, and this is how Octavia says that a body names one that there is not
  if (error instanceof Invalid && typeof error.extra.networkId === 'string')
    return `Subnet ${error.extra.networkId} not found.`
  if (error instanceof Invalid && error.faults.length > 0) return firstOfEach(error.faults).map(ofField).join(' ')
  if (error instanceof NotFound) return capital(error.message.replace(/ does not exist$/, ' not found.'))
  return error.message
}

/** What breaks several rules at once is told by the first. */
const firstOfEach = (faults: readonly FieldFault[]): FieldFault[] =>
  faults.filter(({ field }, place) => faults.findIndex((other) => other.field === field) === place)

function ofField({ field, message }: FieldFault): string {
  if (!field) return `${message}.`
  const own = /\w+$/.exec(field)?.[0] ?? field
  return `Invalid input for field/attribute ${attributeName(field)}. ${message.replaceAll(own, attributeName(own))}.`
}

const capital = (words: string): string =>
  words.replace(/^load balancer/, 'Load Balancer').replace(/^./, (first) => first.toUpperCase())

/** Attributes that are called by other words there. */
const renamed: Readonly<Record<string, string>> = {
  loadBalancerId: 'loadbalancer_id',
  l7PolicyId: 'l7policy_id',
  l7Policies: 'l7policies',
  healthMonitor: 'healthmonitor',
  networkId: 'subnet_id',
  defaultCertificateId: 'default_tls_container_ref',
  sniCertificateIds: 'sni_container_refs',
}

/** `members[0].protocolPort` → `members[0].protocol_port` */
const attributeName = (path: string): string =>
  path.replaceAll(/\w+/g, (name) => renamed[name] ?? name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`))
