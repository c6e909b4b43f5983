import { Module, type OnModuleInit } from '@nestjs/common'
import { CommandsModule } from '../commands/commands.module.js'
import { EventsModule } from '../events/events.module.js'
import { IdentityModule } from '../identity/identity.module.js'
import { Schedules } from '../platform/schedules.js'
import { Settings } from '../platform/settings.js'
import { SessionsModule } from '../sessions/sessions.module.js'
import { HostAdmission } from './admission.js'
import { EnrolledHosts } from './enrolled-hosts.js'
import { HostController } from './host.controller.js'
import { HostCertificateController } from './host-certificate.controller.js'
import { HostChanges } from './host-changes.js'
import { HostLife } from './host-life.js'
import { HostRevocation } from './host-revocation.service.js'
import { HostStatusChange } from './host-status.js'
import { Hosts } from './hosts.service.js'
import { Inventory } from './inventory.js'
import { OwnThings } from './own-things.js'
import { QuarantineController } from './quarantine.controller.js'
import { Quarantine } from './quarantine.service.js'
import { SubjectOwners } from './subject-owners.js'
import { TombstoneController } from './tombstone.controller.js'
import { Tombstones } from './tombstones.service.js'

@Module({
  imports: [EventsModule, IdentityModule, CommandsModule, SessionsModule],
  controllers: [HostController, HostCertificateController, TombstoneController, QuarantineController],
  providers: [
    EnrolledHosts,
    HostAdmission,
    HostChanges,
    HostLife,
    HostRevocation,
    HostStatusChange,
    Hosts,
    Inventory,
    OwnThings,
    Quarantine,
    SubjectOwners,
    Tombstones,
  ],
  exports: [HostChanges, Hosts, OwnThings, Quarantine, SubjectOwners, Tombstones],
})
export class HostsModule implements OnModuleInit {
  constructor(
    private readonly schedules: Schedules,
    private readonly settings: Settings,
    private readonly hosts: Hosts,
    private readonly life: HostLife,
    private readonly tombstones: Tombstones,
  ) {}

  onModuleInit(): void {
    this.schedules.register({
      name: 'hosts.ownerless',
      everyMs: 2_000,
      meaning: 'Marks hosts of dead replicas that did not come back as NonResponsive.',
      run: () => this.life.sweepOwnerless(this.settings.get('hosts.returnGraceMs')),
    })
    this.schedules.register({
      name: 'hosts.drains',
      everyMs: 2_000,
      meaning: 'Ends the preparation for maintenance of hosts on which nothing is left.',
      run: () => this.hosts.finishDrains(),
    })
    this.schedules.register({
      name: 'hosts.tombstones',
      everyMs: 3_600_000,
      meaning: 'Removes confirmed tombstones that are older than hosts.tombstoneRetentionMs.',
      run: () => this.tombstones.removeOld(this.settings.get('hosts.tombstoneRetentionMs')),
    })
  }
}
