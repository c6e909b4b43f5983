import 'reflect-metadata'
import type { Provider } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { DataSource } from 'typeorm'
import { dataSourceOptions } from '../../src/engine/data-source.js'
import { engineOn } from '../../src/engine/engine.module.js'
import { Authorities } from '../../src/engine/identity/authorities.js'
import { TicketKeys } from '../../src/engine/identity/ticket-keys.js'
import { Addresses } from '../../src/engine/platform/addresses.js'
import { anonymous, type Caller } from '../../src/engine/platform/caller.js'
import { Database } from '../../src/engine/platform/database.js'
import { Drains } from '../../src/engine/platform/drains.js'
import { Incarnations } from '../../src/engine/platform/incarnations.js'
import { migrate } from '../../src/engine/platform/migrations.js'
import { Notifications } from '../../src/engine/platform/notifications.js'
import { Origins } from '../../src/engine/platform/origin.js'
import { ReplicaIdentity } from '../../src/engine/platform/replica-identity.js'
import { Schedules } from '../../src/engine/platform/schedules.js'
import { Sealer, sealingKeyOf } from '../../src/engine/platform/sealing.js'
import { Settings } from '../../src/engine/platform/settings.js'
import { UsersOf } from '../../src/engine/platform/users-of.js'
import { StorageConnections } from '../../src/engine/storage/storage-connections.service.js'
import { cpuMicros } from '../bench-process.js'
import { answerQuestions } from '../questions.js'
import { listenToStatements, notifyCount, type Recording, record } from './statement-recorder.js'

export interface PutOrder {
  readonly hostIds: readonly string[]
  readonly concurrency: number
  readonly forMs: number
}

export interface PutRound {
  readonly count: number
  readonly elapsedMs: number
  readonly cpuMicros: number
  /** Statements that notified: many transactions share one. */
  readonly notifies: number
}

/** The engine's services on a database, in a process without REST, hosts or schedules: only what `put` itself costs. */
let storage: StorageConnections
let last = 0

async function open(detail: { url: string; concurrency: number }): Promise<void> {
  listenToStatements()
  const options = dataSourceOptions(detail.url, { poolSize: detail.concurrency + 2 })
  const dataSource = await new DataSource(options).initialize()
  await migrate(dataSource, 'up')
  const app = await NestFactory.createApplicationContext(engineOn(await partsOf(dataSource, detail.url)), {
    logger: false,
  })
  await app.get(Incarnations).adopt()
  storage = app.get(StorageConnections)
}

async function partsOf(dataSource: DataSource, url: string): Promise<Provider[]> {
  const database = new Database(dataSource)
  const sealer = new Sealer(sealingKeyOf(Buffer.alloc(32, 'sealed for benches')))
  const notifications = new Notifications(database, { connectionString: url })
  return [
    { provide: Database, useValue: database },
    { provide: ReplicaIdentity, useValue: new ReplicaIdentity('bench', '0', '127.0.0.1:0') },
    { provide: Notifications, useValue: notifications },
    { provide: Sealer, useValue: sealer },
    { provide: Origins, useValue: new Origins([]) },
    {
      provide: Authorities,
      useValue: await Authorities.open({ database, sealer, notifications }, null, { info: () => undefined }),
    },
    { provide: TicketKeys, useValue: await TicketKeys.open(database, sealer, notifications) },
    Addresses,
    Drains,
    Incarnations,
    Schedules,
    Settings,
    UsersOf,
  ]
}

/** One who may put anything, into the default project. */
const operator: Caller = { ...anonymous, name: 'bench', plane: 'operator' }

const put = (hostId: string, connectionId: string) =>
  storage.put(
    operator,
    hostId,
    connectionId,
    { uri: `local:///srv/${connectionId}` },
    { ifMatch: null, coalesce: false },
  )

function recordOne({ hostId, connectionId }: { hostId: string; connectionId: string }): Promise<Recording> {
  return record(connectionId, () => put(hostId, connectionId))
}

async function putFor({ hostIds, concurrency, forMs }: PutOrder): Promise<PutRound> {
  const [startMs, startNotifies, startCpu] = [performance.now(), notifyCount, cpuMicros(process.cpuUsage())]
  const first = last
  const one = async (): Promise<void> => {
    while (performance.now() - startMs < forMs) {
      const hostId = hostIds[Math.floor(Math.random() * hostIds.length)] ?? ''
      await put(hostId, `put-${process.pid}-${last++}`)
    }
  }
  await Promise.all(Array.from({ length: concurrency }, one))
  return {
    count: last - first,
    elapsedMs: performance.now() - startMs,
    cpuMicros: cpuMicros(process.cpuUsage()) - startCpu,
    notifies: notifyCount - startNotifies,
  }
}

answerQuestions({ open, record: recordOne, put: putFor })
