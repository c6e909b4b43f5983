import type { ListenerIntent } from '../../../../wire/balancing/intent.js'
import { allowedOf, milliseconds } from './listening.js'
import { type NginxPlan, streamUpstream, zoneOf } from './plan.js'
import { block, hostOf } from './text.js'

/** A listener that passes on what comes: TCP, HTTPS that members end, UDP. */
export function renderStreamListener(plan: NginxPlan, listener: ListenerIntent): string[] {
  const { protocol, port, connectionLimit, timeouts, defaultPoolId } = listener
  const allowed = allowedOf(listener)
  // a client's datagrams must all come to the worker that knows its session
  const transport = protocol === 'UDP' ? ' udp reuseport' : ''
  const wholeMs =
    timeouts.clientDataMs === 0 || timeouts.memberDataMs === 0
      ? 0
      : Math.max(timeouts.clientDataMs, timeouts.memberDataMs)
  return [
    ...(connectionLimit > 0 ? [`limit_conn_zone $server_port zone=${zoneOf(listener)}:64k;`] : []),
    ...block('server', [
      `listen ${hostOf(plan.listenAddress)}:${port}${transport};`,
      ...allowed.map((cidr) => `allow ${cidr};`),
      ...(allowed.length > 0 ? ['deny all;'] : []),
      ...(connectionLimit > 0 ? [`limit_conn ${zoneOf(listener)} ${connectionLimit};`] : []),
      `proxy_connect_timeout ${milliseconds(timeouts.memberConnectMs)};`,
      `proxy_timeout ${milliseconds(wholeMs)};`,
      ...(protocol === 'UDP' ? [] : ['proxy_half_close on;']),
      `proxy_pass ${streamUpstream(defaultPoolId!)};`,
    ]),
  ]
}
