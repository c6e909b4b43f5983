import { Module, type OnModuleInit } from '@nestjs/common'
import { CommandsModule } from '../commands/commands.module.js'
import { EventsModule } from '../events/events.module.js'
import { Events } from '../events/events.service.js'
import { HostsModule } from '../hosts/hosts.module.js'
import { AuditModule } from '../identity/audit.module.js'
import { IdentityModule } from '../identity/identity.module.js'
import { Database } from '../platform/database.js'
import { Schedules } from '../platform/schedules.js'
import { ConnectionChanges } from './connection-changes.js'
import { ConnectionWaits } from './connection-waits.js'
import { Credentials } from './credentials.js'
import { OwnStorageConnections } from './own-storage-connections.service.js'
import { PlaneStorageConnectionController } from './plane-storage-connection.controller.js'
import { StorageController } from './storage.controller.js'
import { StorageSettlers } from './storage.settlers.js'
import { StorageBatch } from './storage-batch.js'
import { StorageConnectionController } from './storage-connection.controller.js'
import type { StorageConnection } from './storage-connection.entity.js'
import { eventOf, toldColumns } from './storage-connection.events.js'
import { StorageConnectionLists } from './storage-connection-lists.js'
import { StorageConnections } from './storage-connections.service.js'
import { StorageCreation } from './storage-creation.js'
import { StorageFlows } from './storage-flows.js'
import { StorageListing } from './storage-listing.service.js'
import { StoragePlacement } from './storage-placement.js'
import { StorageReadinessController } from './storage-readiness.controller.js'
import { StorageReadinessReader } from './storage-readiness.service.js'
import { StorageSubjects } from './storage-subjects.js'
import { StorageTargetController } from './storage-target.controller.js'
import { StorageTargets } from './storage-targets.service.js'
import { StorageWakeups } from './storage-wakeups.js'
import { Storages } from './storages.service.js'

@Module({
  imports: [EventsModule, AuditModule, IdentityModule, CommandsModule, HostsModule],
  controllers: [
    StorageConnectionController,
    PlaneStorageConnectionController,
    StorageController,
    StorageTargetController,
    StorageReadinessController,
  ],
  providers: [
    ConnectionChanges,
    ConnectionWaits,
    Credentials,
    OwnStorageConnections,
    StorageBatch,
    StorageConnectionLists,
    StorageConnections,
    StorageCreation,
    StorageFlows,
    StorageListing,
    StoragePlacement,
    StorageReadinessReader,
    StorageSettlers,
    StorageSubjects,
    StorageTargets,
    StorageWakeups,
    Storages,
  ],
})
export class StorageModule implements OnModuleInit {
  constructor(
    private readonly schedules: Schedules,
    private readonly database: Database,
    private readonly events: Events,
    private readonly placement: StoragePlacement,
  ) {}

  onModuleInit(): void {
    this.schedules.register({
      name: 'storage.placement',
      everyMs: 10_000,
      meaning: 'Brings storages to hosts that match and have them not, and away from those that match no more.',
      run: () => this.placement.sweep(),
    })
    this.schedules.register({
      name: 'storage.stuck',
      everyMs: 30_000,
      meaning:
        'Marks pending connections whose command has ended or vanished as ERROR: nothing stays pending for ever.',
      run: () => this.freeStuck(),
    })
  }

  private async freeStuck(): Promise<void> {
    const fault = { type: 'unsettled', message: 'its command has ended without moving it: ask for it again' }
    await this.database.transaction(async (tx) => {
      const [rows] = await tx.query(
        `UPDATE storage_connections s SET provisioning_status = 'ERROR', fault = $1, fault_at = now(), updated_at = now()
         WHERE s.provisioning_status LIKE 'PENDING%' AND s.updated_at < now() - interval '30 seconds'
           AND NOT EXISTS (SELECT FROM commands c WHERE c.id = s.command_id
                           AND (c.finished_at IS NULL OR c.finished_at > now() - interval '30 seconds'))
         RETURNING ${toldColumns('s')}`,
        [JSON.stringify(fault)],
      )
      await this.events.append(
        tx,
        rows.map((row: StorageConnection) => eventOf('storage.connection.failed', row, { fault })),
      )
    })
  }
}
