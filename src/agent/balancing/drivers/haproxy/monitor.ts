import { isIP } from 'node:net'
import type { HealthMonitorIntent, MemberIntent, PoolIntent } from '../../../../wire/balancing/intent.js'
import type { MonitorType } from '../../../../wire/balancing/terms.js'
import { endpoint, format, hostName, invalid, notForHaproxy, urlText, word } from './words.js'

const CODES = /^\d{3}(-\d{3})?(,\d{3}(-\d{3})?)*$/

/** How each type of check is said, for the pool and for a member of it. Null: HAProxy has no such check. */
const means: Readonly<Record<MonitorType, { pool: Render<string[]>; member: Render<string> } | null>> = {
  HTTP: { pool: httpCheck, member: () => '' },
  HTTPS: { pool: httpCheck, member: tls },
  TCP: { pool: () => [], member: () => '' },
  'TLS-HELLO': { pool: () => ['option ssl-hello-chk'], member: () => '' },
  PING: null,
  'UDP-CONNECT': null,
  SCTP: null,
}
type Render<T> = (monitor: HealthMonitorIntent, vip: string) => T

/** The monitor by which members of a pool are judged; null: they count as good. */
export const monitorOf = ({ monitor }: PoolIntent): HealthMonitorIntent | null =>
  monitor?.adminStateUp ? monitor : null

export function renderMonitor(monitor: HealthMonitorIntent, vip: string): string[] {
  return [`timeout check ${monitor.timeout}s`, ...meansOf(monitor).pool(monitor, vip)]
}

/** How one member is checked. `fastinter` and its like are left alone: a count of checks is a count of delays. */
export function renderCheck(
  monitor: HealthMonitorIntent,
  { monitorAddress, monitorPort }: MemberIntent,
  pool: PoolIntent,
): string {
  const { delay, maxRetries, maxRetriesDown } = monitor
  return [
    `check inter ${delay}s rise ${maxRetries} fall ${maxRetriesDown}`,
    monitorAddress ? `addr ${endpoint(monitorAddress, 0).replace(/:0$/, '')}` : '',
    monitorPort ? `port ${monitorPort}` : '',
    pool.protocol.startsWith('PROXY') && !monitorAddress && !monitorPort ? 'check-send-proxy' : '',
    meansOf(monitor).member(monitor, ''),
  ]
    .filter((part) => part !== '')
    .join(' ')
}

function meansOf({ id, type }: HealthMonitorIntent) {
  const found = means[type]
  if (found === null) throw notForHaproxy(`health monitor ${id}: ${type} is not supported`)
  return found
}

function httpCheck(
  { id, httpMethod, urlPath, httpVersion, domainName, expectedCodes }: HealthMonitorIntent,
  vip: string,
) {
  const codes = expectedCodes || '200'
  if (!CODES.test(codes)) throw invalid(`health monitor ${id}: ${JSON.stringify(codes)} are no status codes`)
  const path = word(urlText(urlPath || '/'))
  // HTTP/1.1 asks for a host: without another, the one that clients see
  const host = domainName ? hostName(domainName) : httpVersion === '1.1' ? (isIP(vip) === 6 ? `[${vip}]` : vip) : null
  const version = `HTTP/${httpVersion ?? '1.0'}`
  return [
    'option httpchk',
    `http-check send meth ${httpMethod ?? 'GET'} uri ${path} ver ${version}${host === null ? '' : ` hdr Host ${format(host)}`}`,
    `http-check expect status ${codes}`,
  ]
}

/** A member's certificate is its own affair, as with Octavia: that it answers is what is asked. */
function tls({ domainName }: HealthMonitorIntent): string {
  return `check-ssl verify none${domainName ? ` check-sni ${word(hostName(domainName))}` : ''}`
}
