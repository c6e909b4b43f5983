import type { MonitorType, PoolProtocol } from '../../../wire/balancing/terms.js'
import { Conflict, type FieldFault } from '../../platform/errors.js'
import type { HealthMonitor } from '../health-monitor.entity.js'
import type { Edit, Tree } from '../tree.js'
import { bounded } from './bounds.js'
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

type HttpAttributes = Pick<HealthMonitor, 'httpMethod' | 'urlPath' | 'expectedCodes' | 'httpVersion' | 'domainName'>
type MonitorAttributes = Described & HttpAttributes & Pick<HealthMonitor, 'maxRetriesDown'>

/** Null of a time or count that has no default: as it is. */
export type HealthMonitorChange = Changes<MonitorAttributes & Pick<HealthMonitor, 'delay' | 'timeout' | 'maxRetries'>>

export interface NewHealthMonitor extends HealthMonitorChange, Made {
  readonly type: MonitorType
  readonly delay: number
  readonly timeout: number
  readonly maxRetries: number
}

const noHttp: HttpAttributes = {
  httpMethod: null,
  urlPath: null,
  expectedCodes: null,
  httpVersion: null,
  domainName: null,
}

const asksOverHttp = (type: MonitorType): boolean => type === 'HTTP' || type === 'HTTPS'

const defaultsOf = (type: MonitorType): MonitorAttributes => ({
  ...described,
  maxRetriesDown: 3,
  ...noHttp,
  ...(asksOverHttp(type) ? { httpMethod: 'GET', urlPath: '/', expectedCodes: '200' } : {}),
})

/** @throws Conflict `monitor-taken`: a pool has one */
export const createHealthMonitor = (poolId: string, input: NewHealthMonitor): Edit =>
  bounded((tree) => addHealthMonitor(tree, poolId, input))

/** Not bounded yet. */
export function addHealthMonitor(tree: Tree, poolId: string, input: NewHealthMonitor): Tree {
  const pool = required(tree.pools, poolId, 'pool')
  const taken = tree.healthMonitors.find((monitor) => monitor.poolId === poolId)
  if (taken) {
    const message = `pool ${poolId} has the health monitor ${taken.id} already`
    throw new Conflict(message, 'monitor-taken', { healthMonitorId: taken.id })
  }
  const { id, type, delay, timeout, maxRetries } = input
  const attributes = changed(defaultsOf(type), input, defaultsOf(type))
  const monitor: HealthMonitor = { ...newPart(tree, id), poolId, type, delay, timeout, maxRetries, ...attributes }
  refuse([...typeFaults(type, pool.protocol), ...faultsOf(monitor)])
  return { ...tree, healthMonitors: [...tree.healthMonitors, monitor] }
}

export const updateHealthMonitor = (id: string, input: HealthMonitorChange): Edit =>
  bounded((tree) => {
    const monitor = required(tree.healthMonitors, id, 'health monitor')
    const next = altered<HealthMonitor>(monitor, {
      ...changed<MonitorAttributes>(monitor, input, defaultsOf(monitor.type)),
      delay: input.delay ?? monitor.delay,
      timeout: input.timeout ?? monitor.timeout,
      maxRetries: input.maxRetries ?? monitor.maxRetries,
    })
    refuse(faultsOf(next))
    return { ...tree, healthMonitors: replaced(tree.healthMonitors, next) }
  })

export const deleteHealthMonitor =
  (id: string): Edit =>
  (tree: Tree) => {
    required(tree.healthMonitors, id, 'health monitor')
    return { ...tree, healthMonitors: tree.healthMonitors.filter((monitor) => monitor.id !== id) }
  }

/** What can be asked of members of such a pool. */
const monitorTypesOf: Readonly<Partial<Record<PoolProtocol, readonly MonitorType[]>>> = {
  UDP: ['UDP-CONNECT', 'TCP', 'HTTP'],
  SCTP: ['SCTP', 'TCP', 'HTTP'],
}
const streamTypes: readonly MonitorType[] = ['HTTP', 'HTTPS', 'PING', 'TCP', 'TLS-HELLO']

function typeFaults(type: MonitorType, protocol: PoolProtocol): readonly FieldFault[] {
  const allowed = monitorTypesOf[protocol] ?? streamTypes
  const message = `a pool of protocol ${protocol} is checked by ${allowed.join(', ')}, not by ${type}`
  return faultWhen(!allowed.includes(type), 'type', message)
}

const EXPECTED_CODES = /^\d{3}(?:\s*,\s*\d{3})*$|^\d{3}-\d{3}$/
/** A path as it stands in a request line: with a query, without a fragment. */
const URL_PATH = /^\/[\w\-.~!$&'()*+,;=:@/?%]*$/
const DOMAIN_NAME = /^(?=.{1,255}$)[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,62})(?:\.[a-zA-Z0-9][a-zA-Z0-9-]{0,62})*\.?$/

function faultsOf(monitor: HealthMonitor): FieldFault[] {
  const { type, urlPath, expectedCodes, httpVersion, domainName } = monitor
  if (!asksOverHttp(type)) {
    return (Object.keys(noHttp) as (keyof HttpAttributes)[]).flatMap((field) =>
      faultWhen(monitor[field] !== null, field, `a health monitor of type ${type} has no ${field}`),
    )
  }
  return [
    ...faultWhen(urlPath !== null && !URL_PATH.test(urlPath), 'urlPath', 'urlPath must be the path of a URL: /health'),
    ...faultWhen(
      expectedCodes !== null && !EXPECTED_CODES.test(expectedCodes),
      'expectedCodes',
      'expectedCodes must be a status, several with commas, or a range: 200, 200,202, 200-204',
    ),
    ...faultWhen(
      domainName !== null && !DOMAIN_NAME.test(domainName),
      'domainName',
      'domainName must be the name of a host',
    ),
    ...faultWhen(
      domainName !== null && httpVersion !== '1.1',
      'domainName',
      'domainName is sent in HTTP 1.1 alone: httpVersion must be 1.1',
    ),
  ]
}
