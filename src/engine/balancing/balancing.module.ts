import { Module, type OnModuleInit } from '@nestjs/common'
import { CommandsModule } from '../commands/commands.module.js'
import { EventsModule } from '../events/events.module.js'
import { HostsModule } from '../hosts/hosts.module.js'
import { AuditModule } from '../identity/audit.module.js'
import { IdentityModule } from '../identity/identity.module.js'
import { NetworksModule } from '../networks/networks.module.js'
import { Drains } from '../platform/drains.js'
import { Schedules } from '../platform/schedules.js'
import { BalancerChanges } from './balancer-changes.js'
import { BalancerClaims } from './balancer-claims.js'
import { BalancerCreation } from './balancer-creation.js'
import { BalancerIntents } from './balancer-intents.js'
import { BalancerOffers } from './balancer-offers.js'
import { BalancerParts } from './balancer-parts.service.js'
import { BalancerPlacement } from './balancer-placement.js'
import { BalancerRequests } from './balancer-requests.service.js'
import { Balancers } from './balancers.service.js'
import { BalancingSettlers } from './balancing.settlers.js'
import { BalancingSubjects } from './balancing-subjects.js'
import { BalancingUsers } from './balancing-users.js'
import { CertificateKeys } from './certificate-keys.js'
import { CertificateController } from './certificates/certificate.controller.js'
import { Certificates } from './certificates/certificates.service.js'
import { ExplainController } from './explain.controller.js'
import { HealthMonitorController } from './health-monitor.controller.js'
import { L7PolicyController } from './l7-policy.controller.js'
import { L7RuleController } from './l7-rule.controller.js'
import { ListenerController } from './listener.controller.js'
import { LoadBalancerController } from './load-balancer.controller.js'
import { MemberController } from './member.controller.js'
import { BalancerMoves } from './moves/balancer-moves.js'
import { DeviceTakeovers } from './moves/device-takeovers.js'
import { MoveController } from './moves/move.controller.js'
import { MoveSweep } from './moves/move-sweep.js'
import { PlanController } from './plans/plan.controller.js'
import { Plans } from './plans/plans.service.js'
import { PoolController } from './pool.controller.js'
import { Rollbacks } from './rollbacks.service.js'
import { StuckBalancers } from './stuck-balancers.js'

@Module({
  imports: [EventsModule, AuditModule, IdentityModule, CommandsModule, HostsModule, NetworksModule],
  controllers: [
    LoadBalancerController,
    ListenerController,
    PoolController,
    MemberController,
    HealthMonitorController,
    L7PolicyController,
    L7RuleController,
    CertificateController,
    ExplainController,
    MoveController,
    PlanController,
  ],
  providers: [
    BalancerChanges,
    BalancerClaims,
    BalancerCreation,
    BalancerIntents,
    BalancerMoves,
    BalancerOffers,
    BalancerParts,
    BalancerPlacement,
    BalancerRequests,
    Balancers,
    BalancingSettlers,
    BalancingSubjects,
    BalancingUsers,
    CertificateKeys,
    Certificates,
    DeviceTakeovers,
    MoveSweep,
    Plans,
    Rollbacks,
    StuckBalancers,
  ],
  exports: [BalancerMoves, Balancers],
})
export class BalancingModule implements OnModuleInit {
  constructor(
    private readonly schedules: Schedules,
    private readonly stuck: StuckBalancers,
    private readonly moves: MoveSweep,
    private readonly drains: Drains,
  ) {}

  onModuleInit(): void {
    this.schedules.register({
      name: 'balancing.stuck',
      everyMs: 30_000,
      meaning:
        'Marks pending load balancers whose command has ended or vanished as ERROR: nothing stays pending for ever.',
      run: () => this.stuck.free(),
    })
    this.schedules.register({
      name: 'balancing.moves',
      everyMs: 2_000,
      meaning:
        'Moves load balancers off hosts that fell silent, and gives appliances without an agent into the charge of another.',
      run: () => this.moves.run(),
    })
    this.drains.register((tx, hostId) => this.moves.drain(tx, hostId))
  }
}
