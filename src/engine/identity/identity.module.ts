import { Module } from '@nestjs/common'
import { EventsModule } from '../events/events.module.js'
import { Authentication } from './authentication.js'
import { ProjectController } from './project.controller.js'
import { ProjectRoleBindingController } from './project-role-binding.controller.js'
import { Projects } from './projects.service.js'
import { Quotas } from './quotas.js'
import { RoleBindings } from './role-bindings.service.js'
import { UserRoleBindingController } from './user-role-binding.controller.js'

@Module({
  imports: [EventsModule],
  controllers: [ProjectController, ProjectRoleBindingController, UserRoleBindingController],
  providers: [Authentication, Projects, Quotas, RoleBindings],
  exports: [Authentication, Quotas],
})
export class IdentityModule {}
