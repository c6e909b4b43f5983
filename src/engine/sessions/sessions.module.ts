import { Module } from '@nestjs/common'
import { CommandsModule } from '../commands/commands.module.js'
import { IdentityModule } from '../identity/identity.module.js'
import { Gate } from './gate.js'
import { SessionRegistry } from './session-registry.js'
import { SessionsController } from './sessions.controller.js'
import { Strangers } from './strangers.js'

/** `Addresses` comes from the engine's start, which knows where it listens. */
@Module({
  imports: [CommandsModule, IdentityModule],
  controllers: [SessionsController],
  providers: [Gate, SessionRegistry, Strangers],
  exports: [Gate, SessionRegistry, Strangers],
})
export class SessionsModule {}
