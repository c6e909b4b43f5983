import type { ListenerIntent, LoadBalancerIntent } from '../../../../wire/balancing/intent.js'
import type { InsertableHeader } from '../../../../wire/balancing/terms.js'
import { backendName, isHttp, renderBackends } from './backends.js'
import { renderPolicies } from './policies.js'
import { cidr, endpoint, invalid, notForHaproxy } from './words.js'

const CIDRS_IN_A_LINE = 20

/** What the configuration says of the host that it is for. */
export interface HostFigures {
  /** Connections at once of one process: descriptors set the bound, and `haproxy -c` does not look at them. */
  readonly maxConnections: number
  /** Whom workers run as once their ports are open; null: as whom they were started. */
  readonly account: string | null
}

/** Files beside the configuration, by the names that stand in it. */
export type CrtLists = ReadonlyMap<string, string>

/**
 * The whole configuration of one balancer, for HAProxy 2.4 and later. Paths are relative to its directory. Nothing outside of
 * the lines of servers depends on members. @throws FaultError for what HAProxy cannot carry
 */
export function renderHaproxy(balancer: LoadBalancerIntent, crtLists: CrtLists, host: HostFigures): string {
  const open = balancer.adminStateUp ? balancer.listeners.filter(({ adminStateUp }) => adminStateUp) : []
  refuseWhatCannotBe(balancer, open)
  const sections = [
    renderGlobal(host),
    defaults,
    ...open.map((listener) => renderFrontend(listener, balancer, crtLists)),
    ...renderBackends(balancer, open),
  ]
  return sections.map(([head, ...lines]) => `${[head, ...lines.map((line) => `    ${line}`)].join('\n')}\n`).join('\n')
}

function renderGlobal({ maxConnections, account }: HostFigures): string[] {
  return [
    'global',
    'stats socket unix@stats mode 600 level admin expose-fd listeners',
    'server-state-file states',
    `maxconn ${maxConnections}`,
    // connections that outlive a reload end with the worker that has them, and such workers are not many
    'hard-stop-after 30m',
    'mworker-max-reloads 20',
    // the first check comes at once, and the next ones not all together
    'max-spread-checks 200',
    'spread-checks 5',
    'tune.ssl.default-dh-param 2048',
    'ssl-default-bind-options ssl-min-ver TLSv1.2',
    ...(account === null ? [] : [`user ${account}`, `group ${account}`]),
  ]
}

const defaults = ['defaults', 'load-server-state-from-file global', 'retries 3', 'option redispatch']

function renderFrontend(listener: ListenerIntent, balancer: LoadBalancerIntent, crtLists: CrtLists): string[] {
  const { id, protocol, connectionLimit, timeouts, defaultPoolId } = listener
  const http = isHttp(listener) || protocol === 'PROMETHEUS'
  const crtList = crtLists.get(id)
  if (protocol === 'TERMINATED_HTTPS' && crtList === undefined) throw invalid(`listener ${id} has no certificate`)
  const tls = crtList === undefined ? '' : ` ssl crt-list ${crtList} alpn h2,http/1.1`
  return [
    `frontend ${id}`,
    `mode ${http ? 'http' : 'tcp'}`,
    `bind ${endpoint(balancer.vip.address, listener.port)}${tls}`,
    ...(connectionLimit > 0 ? [`maxconn ${connectionLimit}`] : []),
    ...(connectionLimit === 0 ? ['tcp-request connection reject'] : []),
    `timeout client ${timeouts.clientDataMs}ms`,
    ...(timeouts.tcpInspectMs > 0 ? [`tcp-request inspect-delay ${timeouts.tcpInspectMs}ms`] : []),
    ...renderAllowed(listener),
    // a client that waits on an open connection is served by the worker that it has, and then comes to the new one
    ...(http ? ['option idle-close-on-response'] : []),
    ...(protocol === 'PROMETHEUS' ? prometheus : []),
    ...(isHttp(listener) ? renderHeaders(listener) : []),
    ...renderPolicies(listener.policies, (poolId) => backendName(poolId, id)),
    ...(defaultPoolId ? [`default_backend ${backendName(defaultPoolId, id)}`] : []),
  ]
}

const prometheus = [
  'http-request use-service prometheus-exporter if { path /metrics }',
  'http-request deny deny_status 404',
]

function renderAllowed({ allowedCidrs }: ListenerIntent): string[] {
  if (allowedCidrs.length === 0) return []
  const lines = []
  for (let at = 0; at < allowedCidrs.length; at += CIDRS_IN_A_LINE) {
    lines.push(
      `acl allowed src ${allowedCidrs
        .slice(at, at + CIDRS_IN_A_LINE)
        .map(cidr)
        .join(' ')}`,
    )
  }
  return [...lines, 'tcp-request connection reject if !allowed']
}

const headers: Readonly<Record<InsertableHeader, (listener: ListenerIntent) => string>> = {
  'X-Forwarded-For': () => 'option forwardfor',
  'X-Forwarded-Port': () => 'http-request set-header X-Forwarded-Port %[dst_port]',
  'X-Forwarded-Proto': ({ protocol }) =>
    `http-request set-header X-Forwarded-Proto ${protocol === 'TERMINATED_HTTPS' ? 'https' : 'http'}`,
}

const renderHeaders = (listener: ListenerIntent): string[] =>
  Object.entries(headers)
    .filter(([name]) => listener.insertHeaders[name as InsertableHeader] === true)
    .map(([, render]) => render(listener))

/** What HAProxy would take, and do otherwise than it was meant. */
function refuseWhatCannotBe({ pools }: LoadBalancerIntent, open: readonly ListenerIntent[]): void {
  const known = new Set(pools.map(({ id }) => id))
  const ports = new Map<number, string>()
  for (const { id, protocol, port, policies, defaultPoolId } of open) {
    if (protocol === 'UDP' || protocol === 'SCTP') throw notForHaproxy(`listener ${id}: ${protocol} is not supported`)
    const other = ports.get(port)
    if (other !== undefined) throw invalid(`listeners ${other} and ${id} have the same port ${port}`)
    ports.set(port, id)
    const led = [defaultPoolId, ...policies.map(({ redirectPoolId }) => redirectPoolId)]
    const unknown = led.find((poolId) => poolId && !known.has(poolId))
    if (unknown) throw invalid(`listener ${id} leads to pool ${unknown}, which the balancer does not have`)
    if (policies.length > 0 && protocol !== 'HTTP' && protocol !== 'TERMINATED_HTTPS') {
      throw notForHaproxy(`listener ${id}: a listener of ${protocol} has no policies`)
    }
  }
}
