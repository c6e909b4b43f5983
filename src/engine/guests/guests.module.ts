import { Module, type OnModuleInit } from '@nestjs/common'
import { CommandsModule } from '../commands/commands.module.js'
import { EventsModule } from '../events/events.module.js'
import { HostsModule } from '../hosts/hosts.module.js'
import { AuditModule } from '../identity/audit.module.js'
import { IdentityModule } from '../identity/identity.module.js'
import { NetworksModule } from '../networks/networks.module.js'
import { Drains } from '../platform/drains.js'
import { Schedules } from '../platform/schedules.js'
import { GuestController } from './guest.controller.js'
import { GuestChanges } from './guest-changes.js'
import { GuestClones } from './guest-clones.js'
import { GuestCommands } from './guest-commands.js'
import { GuestCreation } from './guest-creation.js'
import { guestsToStop } from './guest-drain.js'
import { GuestPlacement } from './guest-placement.js'
import { GuestRebuild } from './guest-rebuild.js'
import { GuestRemoval } from './guest-removal.js'
import { GuestRuns } from './guest-runs.js'
import { GuestSecrets } from './guest-secrets.js'
import { GuestSnapshotController } from './guest-snapshot.controller.js'
import { GuestSnapshots } from './guest-snapshots.service.js'
import { GuestSubjects } from './guest-subjects.js'
import { GuestSweep } from './guest-sweep.js'
import { GuestUsers } from './guest-users.js'
import { GuestWorkflow } from './guest-workflow.js'
import { Guests } from './guests.service.js'
import { GuestSettlers } from './guests.settlers.js'
import { ImageController } from './image.controller.js'
import { Images } from './images.service.js'
import { SnapshotSettlers } from './snapshot.settlers.js'
import { VolumeController } from './volume.controller.js'
import { VolumeSettlers } from './volume.settlers.js'
import { VolumeSubjects } from './volume-subjects.js'
import { Volumes } from './volumes.service.js'

@Module({
  imports: [EventsModule, AuditModule, IdentityModule, CommandsModule, HostsModule, NetworksModule],
  controllers: [ImageController, VolumeController, GuestController, GuestSnapshotController],
  providers: [
    GuestChanges,
    GuestClones,
    GuestCommands,
    GuestCreation,
    GuestPlacement,
    GuestRebuild,
    GuestRemoval,
    GuestRuns,
    GuestSecrets,
    GuestSettlers,
    GuestSnapshots,
    GuestSubjects,
    GuestSweep,
    GuestUsers,
    GuestWorkflow,
    Guests,
    Images,
    SnapshotSettlers,
    VolumeSettlers,
    VolumeSubjects,
    Volumes,
  ],
})
export class GuestsModule implements OnModuleInit {
  constructor(
    private readonly schedules: Schedules,
    private readonly sweep: GuestSweep,
    private readonly drains: Drains,
  ) {}

  onModuleInit(): void {
    this.drains.register(guestsToStop)
    this.schedules.register({
      name: 'guests.storage',
      everyMs: 1_000,
      meaning: 'Takes guests on that wait for their storage, or marks them as ERROR when their time is over.',
      run: () => this.sweep.awaitStorage(),
    })
    this.schedules.register({
      name: 'guests.stuck',
      everyMs: 30_000,
      meaning: 'Marks pending guests whose command has ended or vanished as ERROR: nothing stays pending for ever.',
      run: () => this.sweep.freeStuck(),
    })
  }
}
