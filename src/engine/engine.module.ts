import { type DynamicModule, Global, Module, type Provider } from '@nestjs/common'
import { BalancingModule } from './balancing/balancing.module.js'
import { OctaviaModule } from './balancing/octavia/octavia.module.js'
import { ClusterModule } from './cluster/cluster.module.js'
import { CommandsModule } from './commands/commands.module.js'
import { EventsModule } from './events/events.module.js'
import { GuestsModule } from './guests/guests.module.js'
import { HostsModule } from './hosts/hosts.module.js'
import { AuditModule } from './identity/audit.module.js'
import { IdentityModule } from './identity/identity.module.js'
import { NetworksModule } from './networks/networks.module.js'
import { PlatformModule } from './platform/platform.module.js'
import { SessionsModule } from './sessions/sessions.module.js'
import { StorageModule } from './storage/storage.module.js'

/** The one list of modules. */
@Module({
  imports: [
    PlatformModule,
    EventsModule,
    IdentityModule,
    AuditModule,
    CommandsModule,
    SessionsModule,
    HostsModule,
    ClusterModule,
    StorageModule,
    OctaviaModule,
    NetworksModule,
    BalancingModule,
    GuestsModule,
  ],
})
export class EngineModule {}

/** What is made before the container, and is everybody's: the database, who this replica is, where it listens. */
@Global()
@Module({})
class PartsModule {}

/** The engine on its parts, given as plain values and factories. */
export function engineOn(parts: readonly Provider[]): DynamicModule {
  const providers = [...parts]
  const tokens = providers.map((part) => (typeof part === 'object' && 'provide' in part ? part.provide : part))
  return { module: EngineModule, imports: [{ module: PartsModule, global: true, providers, exports: tokens }] }
}
