import type { PoolIntent } from '../../../../wire/balancing/intent.js'
import { renderHttpListener } from './http-listener.js'
import { httpUpstream, isHttp, type NginxPlan, openListeners, poolOf, streamUpstream } from './plan.js'
import { requestMaps } from './routing.js'
import { inUse, renderServers } from './servers.js'
import { renderStreamListener } from './stream-listener.js'
import { block, DOLLAR, quoted } from './text.js'

/** What every balancer's HTTP has: nothing is written to disk, hidden or added that was not asked for. */
const httpManners: readonly string[] = [
  'access_log off;',
  'server_tokens off;',
  'merge_slashes off;',
  'client_max_body_size 0;',
  'large_client_header_buffers 4 32k;',
  'variables_hash_max_size 65536;',
  'variables_hash_bucket_size 256;',
  'map_hash_max_size 65536;',
  'map_hash_bucket_size 512;',
  'server_names_hash_max_size 65536;',
  'server_names_hash_bucket_size 512;',
  'proxy_http_version 1.1;',
  'proxy_request_buffering off;',
  'proxy_buffering off;',
  'proxy_max_temp_file_size 0;',
  'proxy_redirect off;',
  'proxy_pass_header Server;',
  'proxy_pass_header Date;',
]

const temporaryPaths = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'] as const

/**
 * nginx.conf of one balancer (nginx 1.22), whole.
 * @throws FaultError when something in it cannot be said to nginx
 */
export function renderNginx(plan: NginxPlan): string {
  const listeners = openListeners(plan)
  const http = listeners.filter(isHttp)
  const streams = listeners.filter((listener) => !isHttp(listener))
  const lines = [
    '# Written by Keelson, and written anew with each change of the load balancer.',
    `load_module ${quoted(plan.streamModule)};`,
    'daemon on;',
    'worker_processes 2;',
    'worker_rlimit_nofile 65536;',
    '# connections that are left when a configuration is replaced have so long to end',
    'worker_shutdown_timeout 300s;',
    `pid ${quoted(`${plan.directory}/nginx.pid`)};`,
    `error_log ${quoted(`${plan.directory}/error.log`)} alert;`,
    ...block('events', ['worker_connections 16384;']),
    ...block('http', [
      ...httpManners,
      ...temporaryPaths.map((name) => `${name}_temp_path ${quoted(`${plan.directory}/temporary/${name}`)};`),
      `geo $${DOLLAR} { default "$"; }`,
      // HTTP/1.1 does not go without, and HTTP/1.0 may have come so
      ...block('map $http_host $keelson_host', ['default $http_host;', '"" $server_addr;']),
      ...block('map $http_upgrade $keelson_connection', ['default upgrade;', '"" close;']),
      ...requestMaps,
      ...poolsOf(
        plan,
        http.flatMap(({ defaultPoolId, policies }) => [
          defaultPoolId,
          ...policies.map((policy) => policy.redirectPoolId),
        ]),
      ).flatMap((pool) =>
        block(`upstream ${httpUpstream(pool.id)}`, renderServers(pool, httpUpstream(pool.id), plan.seenWell)),
      ),
      ...http.flatMap((listener, at) => renderHttpListener(plan, listener, `l${at}`)),
    ]),
    ...block('stream', [
      'variables_hash_bucket_size 256;',
      ...poolsOf(
        plan,
        streams.map(({ defaultPoolId }) => defaultPoolId),
      ).flatMap((pool) =>
        block(`upstream ${streamUpstream(pool.id)}`, renderServers(pool, streamUpstream(pool.id), plan.seenWell)),
      ),
      ...streams.flatMap((listener) => renderStreamListener(plan, listener)),
    ]),
  ]
  return `${lines.join('\n')}\n`
}

/** Pools that something leads to, with somebody in them: an upstream cannot be empty. */
function poolsOf(plan: NginxPlan, poolIds: readonly (string | null)[]): PoolIntent[] {
  return [...new Set(poolIds)]
    .map((poolId) => poolOf(plan, poolId))
    .filter((pool) => pool !== null && inUse(pool, plan.seenWell).length > 0) as PoolIntent[]
}
