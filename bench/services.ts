import 'reflect-metadata'
import type { INestApplicationContext, Provider } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import { DataSource } from 'typeorm'
import { dataSourceOptions } from '../src/engine/data-source.js'
import { engineOn } from '../src/engine/engine.module.js'
import { Authorities } from '../src/engine/identity/authorities.js'
import { TicketKeys } from '../src/engine/identity/ticket-keys.js'
import { Addresses } from '../src/engine/platform/addresses.js'
import { anonymous, type Caller } from '../src/engine/platform/caller.js'
import { Database } from '../src/engine/platform/database.js'
import { Drains } from '../src/engine/platform/drains.js'
import { Incarnations } from '../src/engine/platform/incarnations.js'
import { migrate } from '../src/engine/platform/migrations.js'
import { Notifications } from '../src/engine/platform/notifications.js'
import { Origins } from '../src/engine/platform/origin.js'
import { ReplicaIdentity } from '../src/engine/platform/replica-identity.js'
import { Schedules } from '../src/engine/platform/schedules.js'
import { Sealer, sealingKeyOf } from '../src/engine/platform/sealing.js'
import { Settings } from '../src/engine/platform/settings.js'
import { UsersOf } from '../src/engine/platform/users-of.js'

export interface ServicesOrder {
  readonly url: string
  readonly concurrency: number
}

/** The engine's services on a database, in a process without REST, hosts or schedules: only what they cost themselves. */
export async function openServices({ url, concurrency }: ServicesOrder): Promise<INestApplicationContext> {
  const dataSource = await new DataSource(dataSourceOptions(url, { poolSize: concurrency + 2 })).initialize()
  await migrate(dataSource, 'up')
  const app = await NestFactory.createApplicationContext(engineOn(await partsOf(dataSource, url)), { logger: false })
  await app.get(Incarnations).adopt()
  return app
}

/** One who may make anything, in the default project. */
export const operator: Caller = { ...anonymous, name: 'bench', plane: 'operator' }

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
