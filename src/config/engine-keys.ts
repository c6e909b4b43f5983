import type { EngineConfig } from '../engine/config.js'
import { stateDirectory } from './directories.js'
import { joinSecretKeys, type SecretFromFile } from './join-secret.js'
import type { Keys } from './key.js'
import { loggingKeys } from './logging-keys.js'
import { address, addresses, databaseUrl, integer, matching, networks, optionalText, origins, text } from './parsers.js'

export const engineKeys: Keys<SecretFromFile<EngineConfig>> = {
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
    meaning: 'Addresses at which browsers reach REST, where a proxy makes them others than its Host header says',
    fallback: () => [],
  },
  trustedProxies: {
    ...networks,
    env: 'KEELSON_TRUSTED_PROXIES',
    meaning: 'Proxies whose X-Forwarded-For is believed; of anybody else the address is the one of the connection',
    fallback: () => [],
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
  ...joinSecretKeys,
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
