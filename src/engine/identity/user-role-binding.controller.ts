import { Body, Delete, Get, Param, Put, Query } from '@nestjs/common'
import { ApiParam } from '@nestjs/swagger'
import type { Caller } from '../platform/caller.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { Who } from '../platform/who.js'
import { PlacePipe } from './place.pipe.js'
import { RoleBindingPut, RoleBindingQuery, RoleBindingView, viewRoleBinding } from './role-binding.dto.js'
import { RoleBindings } from './role-bindings.service.js'

const PLACE = { name: 'place', description: '`plane` for the whole plane, or the id of a project.' }

@RestController('users/:userId/role-bindings', 'Role bindings', 'Who may do what: one role for each user and place.')
export class UserRoleBindingController {
  constructor(private readonly bindings: RoleBindings) {}

  @Get()
  @Operation({
    id: 'userRoleBindings.list',
    allow: { plane: 'admin' },
    summary: 'List the roles of a user',
    reply: [200, PageOf(RoleBindingView)],
  })
  async list(@IdParam('userId') userId: string, @Query() query: RoleBindingQuery) {
    return viewPage(await this.bindings.ofUser(userId, query), viewRoleBinding)
  }

  @Put(':place')
  @ApiParam(PLACE)
  @Operation({
    id: 'userRoleBindings.put',
    allow: { plane: 'admin' },
    summary: 'Give a user a role in the plane or in a project, instead of the one that they have there',
    reply: [200, RoleBindingView],
    errors: ['last-administrator'],
  })
  async put(
    @Who() caller: Caller,
    @IdParam('userId') userId: string,
    @Param('place', PlacePipe) place: string | null,
    @Body() body: RoleBindingPut,
  ) {
    return viewRoleBinding(await this.bindings.put(caller, userId, place, body.role))
  }

  @Delete(':place')
  @ApiParam(PLACE)
  @Operation({
    id: 'userRoleBindings.delete',
    allow: { plane: 'admin' },
    summary: 'Take the role of a user in the plane or in a project away',
    reply: [204],
    errors: ['last-administrator'],
  })
  async delete(
    @Who() caller: Caller,
    @IdParam('userId') userId: string,
    @Param('place', PlacePipe) place: string | null,
  ) {
    await this.bindings.delete(caller, userId, place)
  }
}
