import type { HealthMonitorIntent, LoadBalancerIntent, MemberIntent } from '../../../../wire/balancing/intent.js'
import { isMonitored } from './servers.js'
import { hostOf, invalid, oneLine } from './text.js'

/** What a check has found so far. A member is used only after its first good one. */
export type Found = 'well' | 'ill' | 'not-yet'

export type CheckType = 'HTTP' | 'HTTPS' | 'TCP' | 'TLS-HELLO' | 'UDP-CONNECT'

/** How one member is checked, as the checker is told. */
export interface MemberCheck {
  readonly memberId: string
  readonly type: CheckType
  readonly address: string
  readonly port: number
  readonly delayMs: number
  readonly timeoutMs: number
  /** Good checks in a row until one that was down is up. */
  readonly rise: number
  /** Bad ones until one that was up is down. */
  readonly fall: number
  /** Of HTTP and HTTPS: what is sent, and the codes that are good. */
  readonly request: string
  readonly codes: readonly CodeRange[]
}

export type CodeRange = readonly [from: number, to: number]

const types: readonly string[] = ['HTTP', 'HTTPS', 'TCP', 'TLS-HELLO', 'UDP-CONNECT']

/** @throws FaultError when a monitor is of another type, or a text of it would not stay within its line */
export function checksOf(balancer: LoadBalancerIntent): MemberCheck[] {
  return balancer.pools.flatMap((pool) => {
    if (!isMonitored(pool) || !pool.adminStateUp || !balancer.adminStateUp) return []
    const monitor = pool.monitor!
    return pool.members.filter(({ adminStateUp }) => adminStateUp).map((member) => checkOf(monitor, member))
  })
}

function checkOf(monitor: HealthMonitorIntent, member: MemberIntent): MemberCheck {
  if (!types.includes(monitor.type))
    throw invalid(`monitor ${monitor.id}: nginx has no checks of the type ${monitor.type} here`)
  const isHttp = monitor.type === 'HTTP' || monitor.type === 'HTTPS'
  return {
    memberId: member.id,
    type: monitor.type as CheckType,
    address: member.monitorAddress ?? member.address,
    port: member.monitorPort ?? member.port,
    delayMs: monitor.delay * 1000,
    timeoutMs: monitor.timeout * 1000,
    rise: monitor.maxRetries,
    fall: monitor.maxRetriesDown,
    request: isHttp ? requestOf(monitor, member) : '',
    codes: isHttp ? codesOf(monitor.expectedCodes ?? '200') : [],
  }
}

function requestOf(monitor: HealthMonitorIntent, member: MemberIntent): string {
  const { id, httpMethod, urlPath, httpVersion, domainName } = monitor
  const path = oneLine(urlPath ?? '/', `urlPath of ${id}`)
  if (path.includes(' ')) throw invalid(`urlPath of ${id} holds a blank`)
  const version = httpVersion ?? '1.0'
  // only HTTP/1.0 may go without
  const host = domainName ?? (version === '1.1' ? hostOf(member.address) : null)
  return [
    `${httpMethod ?? 'GET'} ${path} HTTP/${version}`,
    ...(host === null ? [] : [`Host: ${oneLine(host, `domainName of ${id}`)}`]),
    'Connection: close',
    '\r\n',
  ].join('\r\n')
}

const codesOf = (text: string): CodeRange[] =>
  text.split(',').flatMap((part): CodeRange[] => {
    const [, from, to = from] = /^\s*(\d{3})(?:\s*-\s*(\d{3}))?\s*$/.exec(part) ?? []
    return from === undefined ? [] : [[Number(from), Number(to)]]
  })
