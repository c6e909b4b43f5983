import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import pg from 'pg'
import type { DestinationStream } from 'pino'
import type { EngineConfig } from '../../src/engine/config.js'
import { startEngine } from '../../src/engine/start.js'
import { createLogger } from '../../src/log/logger.js'
import { createTestDatabase } from './database.js'
import { type AgentPort, enrolsOnce } from './enrolment.js'
import { type HttpClient, http } from './http.js'

export const SEALING_KEY = Buffer.alloc(32, 'sealed for tests').toString('base64')

export interface TestEngine {
  readonly url: string
  readonly tcp: AgentPort
  /** A join token, by default for thousands of hosts, new or known. */
  joinToken(options?: object): Promise<string>
  /** An administrator of the plane. */
  readonly http: HttpClient
  /** Its token. */
  readonly token: string
  readonly databaseUrl: string
  /** A look behind the scenes, for what the public interface does not show. */
  query<R extends pg.QueryResultRow>(sql: string, values?: unknown[]): Promise<R[]>
  /** Another replica on the same database, until the test stops it. */
  replica(
    overrides?: Partial<EngineConfig>,
  ): Promise<{ readonly tcp: AgentPort; readonly url: string; stop(): Promise<void> }>
  /** Stops the replica; its database stays until `stop`. */
  stopReplica(): Promise<void>
  /** Another replica on the same database, at the same ports. */
  restart(): Promise<void>
  stop(): Promise<void>
}

/** A real engine in this process, on a database of its own. `output` takes its log. */
export async function startTestEngine(
  overrides: Partial<EngineConfig> = {},
  output?: DestinationStream,
): Promise<TestEngine> {
  const database = await createTestDatabase()
  const tokenFile = join(await mkdtemp(join(tmpdir(), 'keelson-token-')), 'token')
  const pool = new pg.Pool({ connectionString: overrides.databaseUrl ?? database.url, max: 2 })
  pool.on('error', () => undefined)
  const any = { host: '127.0.0.1', port: 0 }
  const config: EngineConfig = {
    http: any,
    tcp: any,
    advertise: [any],
    publicUrls: [],
    trustedProxies: [],
    databaseUrl: database.url,
    dataDir: '/nonexistent',
    tls: 'auto',
    tlsCertFile: null,
    tlsKeyFile: null,
    caCertFile: null,
    caKeyFile: null,
    sealingKeys: SEALING_KEY,
    sealingKeyFile: null,
    bootstrapTokenFile: tokenFile,
    replicaName: 'test',
    logLevel: (process.env.TEST_LOG_LEVEL as EngineConfig['logLevel'] | undefined) ?? 'silent',
    logFormat: 'json',
    poolSize: 10,
    httpBodyLimitBytes: 1_048_576,
    requestTimeoutMs: 30_000,
    drainTimeoutMs: 5_000,
    ...overrides,
  }
  const start = (at: EngineConfig) => startEngine(at, createLogger('engine', at, output))
  let running: Awaited<ReturnType<typeof start>> | null = await start(config)
  const url = running.httpUrl
  const token = (await readFile(tokenFile, 'utf8')).trim()
  const [host = '', port = ''] = running.tcpAddress.split(':')
  const client = http(url, { token })
  const joinToken = async (options: object = { uses: 10_000, replace: true }): Promise<string> => {
    const reply = await client.post('/api/v1/hosts/join-tokens', options)
    if (reply.status !== 201) throw new Error(`no join token: ${JSON.stringify(reply.body)}`)
    return reply.body.token
  }
  const tcp = { host, port: Number(port), identityOf: enrolsOnce(() => joinToken()) }
  const stopReplica = async () => {
    await running?.stop()
    running = null
  }
  return {
    url,
    tcp,
    joinToken,
    http: client,
    token,
    databaseUrl: database.url,
    query: async (sql, values) => (await pool.query(sql, values)).rows,
    replica: async (changes = {}) => {
      const { bootstrapTokenFile: _, ...shared } = config
      const other = await start({ ...shared, bootstrapTokenFile: null, replicaName: 'other', ...changes })
      const [at = '', on = ''] = other.tcpAddress.split(':')
      return { tcp: { ...tcp, host: at, port: Number(on) }, url: other.httpUrl, stop: () => other.stop() }
    },
    stopReplica,
    restart: async () => {
      running = await start({ ...config, tcp, advertise: [tcp], http: { host, port: Number(new URL(url).port) } })
    },
    stop: async () => {
      await stopReplica()
      await pool.end()
      await database.drop()
      await rm(dirname(tokenFile), { recursive: true })
    },
  }
}
