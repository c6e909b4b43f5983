import type { EngineConfig } from '../engine/config.js'
import { stateDirectory } from './directories.js'
import type { Keys } from './key.js'
import { loggingKeys } from './logging-keys.js'
import {
  address,
  addresses,
  databaseUrl,
  integer,
  matching,
  networks,
  oneOf,
  optionalText,
  origins,
  text,
} from './parsers.js'

export const engineKeys: Keys<EngineConfig> = {
  http: {
    ...address,
    env: 'KEELSON_HTTP',
    meaning: 'Address that REST, its documentation and metrics are served on',
    fallback: () => ({ host: '127.0.0.1', port: 8080 }),
  },
  tcp: {
    ...address,
    env: 'KEELSON_TCP',
    meaning: 'Address that agents dial',
    fallback: () => ({ host: '127.0.0.1', port: 8081 }),
  },
  advertise: {
    ...addresses,
    env: 'KEELSON_ADVERTISE',
    meaning: "This replica's addresses as agents are told them",
    fallback: () => [],
    fallbackText: 'the address of tcp',
  },
  publicUrls: {
    ...origins,
    env: 'KEELSON_PUBLIC_URLS',
    meaning: 'Addresses at which browsers, and machines that join, reach REST, where they are others than http says',
    fallback: () => [],
    fallbackText: 'the address of http',
  },
  trustedProxies: {
    ...networks,
    env: 'KEELSON_TRUSTED_PROXIES',
    meaning: 'Proxies whose X-Forwarded-For is believed; of anybody else the address is the one of the connection',
    fallback: () => [],
  },
  tls: {
    ...oneOf(['auto', 'off']),
    env: 'KEELSON_TLS',
    meaning:
      'TLS of REST without a tlsCertFile; auto: plain HTTP on loopback addresses, elsewhere the plane’s own authority signs; off: refuses to serve elsewhere',
    fallback: () => 'auto',
  },
  tlsCertFile: {
    ...optionalText,
    env: 'KEELSON_TLS_CERT_FILE',
    meaning: 'Certificate that REST shows, with its chain, in PEM; read again when it changes',
    expects: 'the path of a readable file',
    fallback: () => null,
  },
  tlsKeyFile: {
    ...optionalText,
    env: 'KEELSON_TLS_KEY_FILE',
    meaning: 'Key of that certificate, in PEM',
    expects: 'the path of a readable file',
    fallback: () => null,
  },
  caCertFile: {
    ...optionalText,
    env: 'KEELSON_CA_CERT_FILE',
    meaning:
      'Outside certificate authority for hosts and replicas, in PEM; further ones in the file are trusted beside it',
    expects: 'the path of a readable file',
    fallback: () => null,
    fallbackText: 'one that is made at first start and kept in the database, its key sealed',
  },
  caKeyFile: {
    ...optionalText,
    env: 'KEELSON_CA_KEY_FILE',
    meaning: 'Key of that authority, EC on P-256 or P-384, in PEM',
    expects: 'the path of a readable file',
    fallback: () => null,
  },
  databaseUrl: {
    ...databaseUrl,
    env: 'DATABASE_URL',
    meaning: 'Postgres 15 or newer; without one, an embedded Postgres in dataDir',
    fallback: () => null,
    secret: true,
  },
  poolSize: {
    ...integer(2, 500),
    env: 'KEELSON_POOL_SIZE',
    meaning: 'Most connections to the database',
    fallback: () => 20,
  },
  dataDir: {
    ...text,
    env: 'KEELSON_DATA_DIR',
    meaning: 'Directory of the embedded Postgres and of what the engine generates',
    fallback: (surroundings) => stateDirectory('keelson', surroundings),
  },
  sealingKeys: {
    ...optionalText,
    env: 'KEELSON_SEALING_KEYS',
    meaning:
      'Keys that secrets in the database are sealed with, the current one first; sealingKeyFile is the better place',
    expects: 'base64 of 32 bytes, several separated by commas',
    fallback: () => null,
    show: (value) => (value === null ? '(none)' : '(set)'),
    secret: true,
  },
  sealingKeyFile: {
    ...optionalText,
    env: 'KEELSON_SEALING_KEY_FILE',
    meaning: 'File of such keys, one a line; the same for every replica. `keelson keys generate` makes a key',
    expects: 'the path of a readable file',
    fallback: () => null,
    fallbackText: 'with an embedded Postgres, sealing-keys in dataDir',
  },
  bootstrapTokenFile: {
    ...optionalText,
    env: 'KEELSON_BOOTSTRAP_TOKEN_FILE',
    meaning:
      "File that an administrator's token is written to where it does not exist, for programs that set a plane up",
    expects: 'a path',
    fallback: () => null,
  },
  replicaName: {
    ...matching(/^[\w.-]{1,128}$/, 'up to 128 letters, digits, dots, dashes and underscores'),
    env: 'KEELSON_REPLICA_NAME',
    meaning: 'Name of this replica among those on one database',
    fallback: ({ hostname }) => hostname,
  },
  httpBodyLimitBytes: {
    ...integer(1_024, 64 * 1_048_576),
    env: 'KEELSON_HTTP_BODY_LIMIT_BYTES',
    meaning: 'Largest request body',
    fallback: () => 1_048_576,
  },
  requestTimeoutMs: {
    ...integer(1_000, 600_000),
    env: 'KEELSON_REQUEST_TIMEOUT_MS',
    meaning: 'Longest time that a client may take to send a request',
    fallback: () => 30_000,
  },
  drainTimeoutMs: {
    ...integer(0, 600_000),
    env: 'KEELSON_DRAIN_TIMEOUT_MS',
    meaning: 'Longest time that SIGTERM waits for what is in progress',
    fallback: () => 15_000,
  },
  ...loggingKeys,
}
