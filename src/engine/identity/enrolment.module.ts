import { Module, type OnModuleInit } from '@nestjs/common'
import { EventsModule } from '../events/events.module.js'
import { Schedules } from '../platform/schedules.js'
import { Settings } from '../platform/settings.js'
import { EnrolmentController } from './enrolment.controller.js'
import { Enrolment } from './enrolment.service.js'
import { HostCertificates } from './host-certificates.js'
import { HostRegistry } from './host-register.js'
import { JoinTokenController } from './join-token.controller.js'
import { JoinTokens } from './join-tokens.service.js'
import { TicketKeys } from './ticket-keys.js'

/** `Authorities` and `TicketKeys` come from the engine's start: its listeners need them before there is a container. */
@Module({
  imports: [EventsModule],
  controllers: [JoinTokenController, EnrolmentController],
  providers: [Enrolment, HostCertificates, HostRegistry, JoinTokens],
  exports: [HostCertificates, HostRegistry],
})
export class EnrolmentModule implements OnModuleInit {
  constructor(
    private readonly schedules: Schedules,
    private readonly settings: Settings,
    private readonly ticketKeys: TicketKeys,
    private readonly tokens: JoinTokens,
    private readonly certificates: HostCertificates,
  ) {}

  onModuleInit(): void {
    this.schedules.register({
      name: 'identity.ticket-keys',
      everyMs: 60_000,
      meaning: 'Replaces the key of TLS session tickets when it is older than sessions.ticketKeyLifeMs.',
      run: () => this.ticketKeys.rotate(this.settings.get('sessions.ticketKeyLifeMs')),
    })
    this.schedules.register({
      name: 'identity.enrolment',
      everyMs: 3_600_000,
      meaning: 'Removes join tokens and hosts’ certificates that ended long ago.',
      run: async () => {
        await this.tokens.removeOld()
        await this.certificates.removeOld()
      },
    })
  }
}
