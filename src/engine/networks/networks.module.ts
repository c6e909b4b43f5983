import { Module } from '@nestjs/common'
import { EventsModule } from '../events/events.module.js'
import { AuditModule } from '../identity/audit.module.js'
import { IdentityModule } from '../identity/identity.module.js'
import { NetworkController } from './network.controller.js'
import { NetworkAddresses } from './network-addresses.service.js'
import { Networks } from './networks.service.js'

@Module({
  imports: [EventsModule, AuditModule, IdentityModule],
  controllers: [NetworkController],
  providers: [NetworkAddresses, Networks],
  exports: [NetworkAddresses, Networks],
})
export class NetworksModule {}
