import { Body, Delete, Get, Put, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { Who } from '../platform/who.js'
import { RoleBindingPut, RoleBindingQuery, RoleBindingView, viewRoleBinding } from './role-binding.dto.js'
import { RoleBindings } from './role-bindings.service.js'

@RestController('projects/:id/role-bindings', 'Role bindings')
export class ProjectRoleBindingController {
  constructor(private readonly bindings: RoleBindings) {}

  @Get()
  @Operation({
    id: 'projectRoleBindings.list',
    allow: { project: 'viewer' },
    summary: 'List who has a role in a project',
    description: 'Whoever has a role in the plane has it in every project, and is not listed here.',
    reply: [200, PageOf(RoleBindingView)],
  })
  async list(@Who() caller: Caller, @IdParam() id: string, @Query() query: RoleBindingQuery) {
    return viewPage(await this.bindings.ofProject(caller, id, query), viewRoleBinding)
  }

  @Put(':userId')
  @Operation({
    id: 'projectRoleBindings.put',
    allow: { project: 'admin' },
    summary: 'Give a user a role in a project, instead of the one that they have there',
    reply: [200, RoleBindingView],
  })
  async put(
    @Who() caller: Caller,
    @IdParam() id: string,
    @IdParam('userId') userId: string,
    @Body() body: RoleBindingPut,
  ) {
    return viewRoleBinding(await this.bindings.put(caller, userId, id, body.role))
  }

  @Delete(':userId')
  @Operation({
    id: 'projectRoleBindings.delete',
    allow: { project: 'admin' },
    summary: 'Take the role of a user in a project away',
    reply: [204],
  })
  async delete(@Who() caller: Caller, @IdParam() id: string, @IdParam('userId') userId: string) {
    await this.bindings.delete(caller, userId, id)
  }
}
