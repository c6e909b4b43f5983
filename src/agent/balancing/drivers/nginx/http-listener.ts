import type { ListenerIntent } from '../../../../wire/balancing/intent.js'
import { type ServedCertificate } from './certificates.js'
import { allowedOf, milliseconds } from './listening.js'
import { httpUpstream, type NginxPlan, poolOf, zoneOf } from './plan.js'
import { Routing } from './routing.js'
import { inUse } from './servers.js'
import { block, hostOf, invalid, quoted } from './text.js'

/** A listener that looks into what it carries. */
export function renderHttpListener(plan: NginxPlan, listener: ListenerIntent, prefix: string): string[] {
  const routing = new Routing(listener, prefix)
  const upstreamOf = (poolId: string | null) => {
    const pool = poolOf(plan, poolId)
    return pool !== null && inUse(pool, plan.seenWell).length > 0 ? httpUpstream(pool.id) : ''
  }
  const allowed = allowedOf(listener)
  return [
    ...(listener.connectionLimit > 0 ? [`limit_conn_zone $server_port zone=${zoneOf(listener)}:64k;`] : []),
    ...(allowed.length > 0
      ? block(`geo $${prefix}_allowed`, ['default 0;', ...allowed.map((cidr) => `${cidr} 1;`)])
      : []),
    ...routing.maps(upstreamOf),
    ...faces(plan, listener).flatMap((face) => block('server', [...face, ...body(listener, routing, prefix)])),
  ]
}

/** What differs between the servers of one listener: each certificate has one, by the names that it is for. */
function faces(plan: NginxPlan, listener: ListenerIntent): string[][] {
  const socket = `${hostOf(plan.listenAddress)}:${listener.port}`
  if (listener.protocol === 'HTTP') return [[`listen ${socket} default_server;`, 'server_name _;']]
  if (listener.certificateIds.length === 0) throw invalid(`listener ${listener.id} has no certificate`)
  const taken = new Set<string>()
  return listener.certificateIds.flatMap((id, at) => {
    const served = plan.certificates.get(id)
    if (served === undefined) throw invalid(`certificate ${id} of listener ${listener.id} did not come with it`)
    const names = served.names.filter((name) => !taken.has(name))
    for (const name of names) taken.add(name)
    // nobody can ask for it
    if (at > 0 && names.length === 0) return []
    return [
      [
        `listen ${socket} ssl${at === 0 ? ' default_server' : ''};`,
        `server_name ${names.length > 0 ? names.join(' ') : '_'};`,
        ...certificateFiles(plan, served),
      ],
    ]
  })
}

const certificateFiles = ({ directory }: NginxPlan, { file }: ServedCertificate): string[] => [
  `ssl_certificate ${quoted(`${directory}/tls/${file}.crt`)};`,
  `ssl_certificate_key ${quoted(`${directory}/tls/${file}.key`)};`,
  'ssl_protocols TLSv1.2 TLSv1.3;',
]

function body(listener: ListenerIntent, routing: Routing, prefix: string): string[] {
  const { timeouts, connectionLimit, insertHeaders } = listener
  const client = milliseconds(timeouts.clientDataMs)
  const member = milliseconds(timeouts.memberDataMs)
  return [
    ...(listener.allowedCidrs.length > 0 ? block(`if ($${prefix}_allowed = 0)`, ['return 444;']) : []),
    ...(connectionLimit === 0 ? ['return 503;'] : []),
    ...routing.answers(),
    ...block(`if (${routing.poolVariable} = "")`, ['return 503;']),
    ...(connectionLimit > 0 ? [`limit_conn ${zoneOf(listener)} ${connectionLimit};`] : []),
    `client_header_timeout ${client};`,
    `client_body_timeout ${client};`,
    `send_timeout ${client};`,
    `keepalive_timeout ${client};`,
    `proxy_connect_timeout ${milliseconds(timeouts.memberConnectMs)};`,
    `proxy_send_timeout ${member};`,
    `proxy_read_timeout ${member};`,
    ...block('location /', [
      `proxy_pass http://${routing.poolVariable};`,
      'proxy_set_header Host $keelson_host;',
      'proxy_set_header Upgrade $http_upgrade;',
      'proxy_set_header Connection $keelson_connection;',
      ...(insertHeaders['X-Forwarded-For'] ? ['proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;'] : []),
      ...(insertHeaders['X-Forwarded-Port'] ? ['proxy_set_header X-Forwarded-Port $server_port;'] : []),
      ...(insertHeaders['X-Forwarded-Proto'] ? ['proxy_set_header X-Forwarded-Proto $scheme;'] : []),
    ]),
  ]
}
