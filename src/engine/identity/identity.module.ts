import { Module, type OnModuleInit } from '@nestjs/common'
import { EventsModule } from '../events/events.module.js'
import { Schedules } from '../platform/schedules.js'
import { AuditModule } from './audit.module.js'
import { Authentication } from './authentication.js'
import { EnrolmentModule } from './enrolment.module.js'
import { IdentityProviderController } from './identity-provider.controller.js'
import { IdentityProviders } from './identity-providers.service.js'
import { LastUse } from './last-use.js'
import { OidcController } from './oidc.controller.js'
import { OidcClient } from './oidc-client.js'
import { OidcSignIn } from './oidc-sign-in.service.js'
import { OidcUsers } from './oidc-users.js'
import { PasswordHashing } from './password-hashing.js'
import { ProjectController } from './project.controller.js'
import { ProjectRoleBindingController } from './project-role-binding.controller.js'
import { Projects } from './projects.service.js'
import { ProviderRoles } from './provider-roles.js'
import { Quotas } from './quotas.js'
import { RoleBindings } from './role-bindings.service.js'
import { SessionController } from './session.controller.js'
import { SignIn } from './sign-in.service.js'
import { SignInLimits } from './sign-in-limits.js'
import { TokenController, UserTokenController } from './token.controller.js'
import { Tokens } from './tokens.service.js'
import { UserController } from './user.controller.js'
import { UserRoleBindingController } from './user-role-binding.controller.js'
import { Users } from './users.service.js'
import { WebSessions } from './web-sessions.js'
import { WhoAmI } from './who-am-i.js'

/** `Authorities` and `TicketKeys` come from the engine's start: its listeners need them before there is a container. */
@Module({
  imports: [AuditModule, EventsModule, EnrolmentModule],
  controllers: [
    IdentityProviderController,
    OidcController,
    ProjectController,
    ProjectRoleBindingController,
    SessionController,
    TokenController,
    UserController,
    UserRoleBindingController,
    UserTokenController,
  ],
  providers: [
    Authentication,
    IdentityProviders,
    LastUse,
    OidcClient,
    OidcSignIn,
    OidcUsers,
    PasswordHashing,
    Projects,
    ProviderRoles,
    Quotas,
    RoleBindings,
    SignIn,
    SignInLimits,
    Tokens,
    Users,
    WebSessions,
    WhoAmI,
  ],
  exports: [Authentication, EnrolmentModule, PasswordHashing, Projects, Quotas],
})
export class IdentityModule implements OnModuleInit {
  constructor(
    private readonly schedules: Schedules,
    private readonly sessions: WebSessions,
    private readonly tokens: Tokens,
    private readonly providerRoles: ProviderRoles,
  ) {}

  onModuleInit(): void {
    this.schedules.register({
      name: 'identity.sessions',
      everyMs: 600_000,
      meaning: 'Removes web sessions that have ended.',
      run: () => this.sessions.removeExpired(),
    })
    this.schedules.register({
      name: 'identity.provider-roles',
      everyMs: 60_000,
      meaning: "Takes roles that a provider's groups gave longer ago than identity.providerRolesMs.",
      run: () => this.providerRoles.removeStale(),
    })
    this.schedules.register({
      name: 'identity.tokens',
      everyMs: 600_000,
      meaning: 'Removes API tokens that expired or were revoked longer ago than identity.tokenRetentionMs.',
      run: () => this.tokens.removeEnded(),
    })
  }
}
