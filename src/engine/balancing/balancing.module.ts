import { Module, type OnModuleInit } from '@nestjs/common'
import { CommandsModule } from '../commands/commands.module.js'
import { EventsModule } from '../events/events.module.js'
import { HostsModule } from '../hosts/hosts.module.js'
import { AuditModule } from '../identity/audit.module.js'
import { IdentityModule } from '../identity/identity.module.js'
import { NetworksModule } from '../networks/networks.module.js'
import { Schedules } from '../platform/schedules.js'
import { BalancerChanges } from './balancer-changes.js'
import { BalancerClaims } from './balancer-claims.js'
import { BalancerOffers } from './balancer-offers.js'
import { BalancerPlacement } from './balancer-placement.js'
import { Balancers } from './balancers.service.js'
import { BalancingSettlers } from './balancing.settlers.js'
import { BalancingSubjects } from './balancing-subjects.js'
import { BalancingUsers } from './balancing-users.js'
import { CertificateKeys } from './certificate-keys.js'
import { StuckBalancers } from './stuck-balancers.js'

@Module({
  imports: [EventsModule, AuditModule, IdentityModule, CommandsModule, HostsModule, NetworksModule],
  controllers: [],
  providers: [
    BalancerChanges,
    BalancerClaims,
    BalancerOffers,
    BalancerPlacement,
    Balancers,
    BalancingSettlers,
    BalancingSubjects,
    BalancingUsers,
    CertificateKeys,
    StuckBalancers,
  ],
  exports: [Balancers],
})
export class BalancingModule implements OnModuleInit {
  constructor(
    private readonly schedules: Schedules,
    private readonly stuck: StuckBalancers,
  ) {}

  onModuleInit(): void {
    this.schedules.register({
      name: 'balancing.stuck',
      everyMs: 30_000,
      meaning:
        'Marks pending load balancers whose command has ended or vanished as ERROR: nothing stays pending for ever.',
      run: () => this.stuck.free(),
    })
  }
}
