import type { Server as HttpsServer } from 'node:https'
import { hostname } from 'node:os'
import type { INestApplication, Provider } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { MicroserviceOptions } from '@nestjs/microservices'
import type { NestFastifyApplication } from '@nestjs/platform-fastify'
import { DataSource } from 'typeorm'
import { type Address, formatAddress, isWildcard } from '../config/address.js'
import { ExitError, exitCodes } from '../config/exit.js'
import { version } from '../config/version.js'
import type { Logger } from '../log/logger.js'
import { NestLogger } from '../log/nest-logger.js'
import { Replicas } from './cluster/replicas.js'
import type { EngineConfig } from './config.js'
import { dataSourceOptions } from './data-source.js'
import { engineOn } from './engine.module.js'
import { EventStreams } from './events/event-streams.js'
import { AuditHeads } from './identity/audit-heads.js'
import { Authorities } from './identity/authorities.js'
import { writeBootstrapToken } from './identity/bootstrap-token.js'
import { ensureFirstAdministrator } from './identity/first-administrator.js'
import { PasswordHashing } from './identity/password-hashing.js'
import { TicketKeys } from './identity/ticket-keys.js'
import { Addresses } from './platform/addresses.js'
import { Database } from './platform/database.js'
import { Drains } from './platform/drains.js'
import { type EmbeddedPostgres, startEmbeddedPostgres } from './platform/embedded-postgres.js'
import { createHttpAdapter } from './platform/http-server.js'
import { removeExpiredIdempotencyKeys } from './platform/idempotency-keys.js'
import { Incarnations } from './platform/incarnations.js'
import { migrate } from './platform/migrations.js'
import { Notifications } from './platform/notifications.js'
import { serveReader } from './platform/openapi-reader.js'
import { Origins } from './platform/origin.js'
import { Readiness } from './platform/readiness.js'
import { ReplicaIdentity } from './platform/replica-identity.js'
import { Schedules } from './platform/schedules.js'
import { Sealer } from './platform/sealing.js'
import { checkSealer, sealerFrom } from './platform/sealing-keys.js'
import { Settings } from './platform/settings.js'
import { UsersOf } from './platform/users-of.js'
import { requireSafe } from './rest-tls.js'
import { prepareSecurity, type Security, type SecurityParts } from './security.js'
import { SessionRegistry } from './sessions/session-registry.js'
import { SessionServer } from './sessions/session-server.js'
import { Strangers } from './sessions/strangers.js'
import { keepCurrent, transportTls } from './sessions/transport-tls.js'

export interface RunningEngine {
  readonly httpUrl: string
  readonly tcpAddress: string
  /** Drains in order: no new sessions, agents sent elsewhere, requests ended, then the database let go. */
  stop(): Promise<void>
}

const DATABASE_PATIENCE_MS = 30_000
const RETRY_MS = 1_000
const IDEMPOTENCY_SWEEP_MS = 600_000

/** Runs one replica of the control plane until `stop`. @throws ExitError with the exit code of its cause */
export async function startEngine(config: EngineConfig, logger: Logger): Promise<RunningEngine> {
  requireSafe(config)
  const embedded = config.databaseUrl ? null : await startEmbeddedPostgres({ dataDir: config.dataDir, logger })
  const undo: (() => Promise<unknown>)[] = [async () => embedded?.stop()]
  try {
    const sealer = await sealerFrom(config)
    const dataSource = await connect(config, embedded, logger)
    undo.unshift(() => dataSource.destroy())
    const done = await migrate(dataSource, 'up', { onWait: () => logger.info('another replica migrates: waiting') })
    if (done.length > 0) logger.info({ migrations: done }, 'the schema was migrated')
    await checkSealer(dataSource, sealer, logger)
    return await serve(config, logger, dataSource, sealer, undo)
  } catch (error) {
    await undoAll(undo, logger)
    throw error
  }
}

/** Every step, whatever came of the one before. */
async function undoAll(steps: readonly (() => Promise<unknown>)[], logger: Logger): Promise<void> {
  for (const step of steps) await step().catch((err: unknown) => logger.error({ err }, 'cleaning up failed'))
}

async function connect(config: EngineConfig, embedded: EmbeddedPostgres | null, logger: Logger): Promise<DataSource> {
  const url = config.databaseUrl ?? embedded?.url ?? ''
  const onPoolError = (err: Error) => logger.warn({ err }, 'a connection to the database broke')
  const givenUp = performance.now() + DATABASE_PATIENCE_MS
  for (;;) {
    try {
      return await new DataSource(dataSourceOptions(url, { poolSize: config.poolSize, onPoolError })).initialize()
    } catch (error) {
      if (performance.now() > givenUp) {
        const message = `the database cannot be reached: ${error instanceof Error ? error.message : String(error)}`
        throw new ExitError(exitCodes.unavailable, message, { cause: error })
      }
      logger.warn({ err: error }, 'the database cannot be reached yet')
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }
}

async function serve(
  config: EngineConfig,
  logger: Logger,
  dataSource: DataSource,
  sealer: Sealer,
  undo: (() => Promise<unknown>)[],
): Promise<RunningEngine> {
  const parts = partsOf(dataSource, sealer)
  const security = await prepareSecurity(config, parts, logger)
  undo.unshift(async () => security.stop())
  const { rest, certificate, ticketKeys } = security
  const transport = new SessionServer({ ...config.tcp, tls: transportTls(certificate, ticketKeys) })
  const app = await NestFactory.create<NestFastifyApplication>(
    engineOn(providersOf(config, parts, security)),
    createHttpAdapter({ ...config, hsts: rest?.fingerprint != null }, rest?.options ?? null),
    { logger: new NestLogger(logger), abortOnError: false, bufferLogs: false },
  )
  undo.unshift(() => app.close())
  app.connectMicroservice<MicroserviceOptions>({ strategy: transport })
  app.get(Strangers).watchedBy(transport)
  keepCurrent(transport, certificate, ticketKeys)
  rest?.follow((options) => (app.getHttpServer() as HttpsServer).setSecureContext(options))
  app.get(Schedules).register({
    name: 'platform.idempotency-keys',
    everyMs: IDEMPOTENCY_SWEEP_MS,
    meaning: 'Removes idempotency keys that are older than 24 hours.',
    run: () => removeExpiredIdempotencyKeys(app.get(Database)),
  })
  serveReader(app)
  const draining = { now: false }
  app.get(Readiness).register('draining', () => {
    if (draining.now) throw new Error('this replica is stopping')
  })
  app.get(AuditHeads).toldTo((head) => logger.info(head, 'the head of the audit log'))
  await app.get(Incarnations).adopt()
  await app.init()
  await app.get(Settings).reload()
  await ensureFirstAdministrator(app.get(Database), app.get(PasswordHashing), logger)
  if (config.bootstrapTokenFile) await writeBootstrapToken(app.get(Database), config.bootstrapTokenFile, logger)
  await listen(config.tcp, () => app.startAllMicroservices())
  const tcp = { host: config.tcp.host, port: transport.address.port }
  app.get(Addresses).announce(advertised(config, tcp).map(formatAddress))
  await app.get(Replicas).start()
  await app.get(Notifications).start()
  await app.get(Schedules).start()
  await listen(config.http, () => app.listen(config.http.port, config.http.host))
  const http = { host: config.http.host, port: portOf(app) }
  const scheme = rest ? 'https' : 'http'
  app.get(Addresses).announceRest({ urls: restUrls(config, scheme, http.port), certificate: rest?.fingerprint ?? null })
  logger.info({ http: formatAddress(http), tcp: formatAddress(tcp), tls: rest !== null, version }, 'the engine serves')
  return {
    httpUrl: `${scheme}://${formatAddress(http)}`,
    tcpAddress: formatAddress(tcp),
    stop: async () => {
      draining.now = true
      await app.get(SessionRegistry).drain()
      app.get(EventStreams).endAll()
      await undoAll(undo, logger)
    },
  }
}

function partsOf(dataSource: DataSource, sealer: Sealer): SecurityParts {
  const database = new Database(dataSource)
  const connection = { connectionString: (dataSource.options as { url?: string }).url }
  return { database, sealer, notifications: new Notifications(database, connection) }
}

function providersOf(config: EngineConfig, parts: SecurityParts, { authorities, ticketKeys }: Security): Provider[] {
  const identity = new ReplicaIdentity(config.replicaName, version, formatAddress(config.tcp))
  return [
    { provide: Database, useValue: parts.database },
    { provide: ReplicaIdentity, useValue: identity },
    { provide: Sealer, useValue: parts.sealer },
    { provide: Origins, useValue: new Origins(config.publicUrls) },
    { provide: Notifications, useValue: parts.notifications },
    { provide: Authorities, useValue: authorities },
    { provide: TicketKeys, useValue: ticketKeys },
    Addresses,
    Drains,
    Incarnations,
    Schedules,
    Settings,
    UsersOf,
  ]
}

function restUrls({ publicUrls, http }: EngineConfig, scheme: string, port: number): readonly string[] {
  if (publicUrls.length > 0) return publicUrls
  return [`${scheme}://${formatAddress({ host: isWildcard(http.host) ? hostname() : http.host, port })}`]
}

/** An address that was bound with port 0 is told as what it became. */
function advertised(config: EngineConfig, bound: Address): readonly Address[] {
  return config.advertise.map((a) => (a.port === 0 ? { host: a.host, port: bound.port } : a))
}

async function listen(address: Address, open: () => Promise<unknown>): Promise<void> {
  try {
    await open()
  } catch (error) {
    const code = (error as { code?: string }).code
    if (code !== 'EADDRINUSE' && code !== 'EACCES' && code !== 'EADDRNOTAVAIL') throw error
    throw new ExitError(exitCodes.temporary, `cannot listen on ${formatAddress(address)}: ${code}`, { cause: error })
  }
}

function portOf(app: INestApplication): number {
  const bound = app.getHttpServer().address() as { port: number } | null
  if (!bound) throw new Error('the REST interface does not listen')
  return bound.port
}
