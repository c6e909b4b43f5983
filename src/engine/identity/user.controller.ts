import { Body, Delete, Get, Patch, Post, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { type IfMatch, IfMatchHeader } from '../platform/etag.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { created } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { OneTimePasswordView, UserCreate, UserQuery, UserUpdate, UserView, viewUser } from './user.dto.js'
import { Users } from './users.service.js'

@RestController('users', 'Users', 'People who sign in, and services that call by token.')
export class UserController {
  constructor(private readonly users: Users) {}

  @Get()
  @Operation({ id: 'users.list', allow: { plane: 'admin' }, summary: 'List users', reply: [200, PageOf(UserView)] })
  async list(@Query() query: UserQuery) {
    return viewPage(await this.users.list(query), viewUser)
  }

  @Post()
  @Operation({
    id: 'users.create',
    allow: { plane: 'admin' },
    summary: 'Add a person or a service, without a role and without a password',
    reply: [201, UserView],
    errors: ['name-taken'],
    etag: true,
  })
  async create(@Body() body: UserCreate) {
    const user = await this.users.create(body)
    return created(viewUser(user), `/api/v1/users/${user.id}`)
  }

  @Get(':id')
  @Operation({ id: 'users.get', allow: { plane: 'admin' }, summary: 'Show a user', reply: [200, UserView], etag: true })
  async get(@IdParam() id: string) {
    return viewUser(await this.users.require(id))
  }

  @Patch(':id')
  @Operation({
    id: 'users.update',
    allow: { plane: 'admin' },
    summary: 'Change, disable or enable a user',
    reply: [200, UserView],
    errors: ['conflict', 'last-administrator'],
    etag: true,
  })
  async update(
    @IdParam() id: string,
    @Body() body: UserUpdate,
    @IfMatchHeader() ifMatch: IfMatch | null,
    @Who() caller: Caller,
  ) {
    return viewUser(await this.users.update(id, body, ifMatch, caller))
  }

  @Delete(':id')
  @Operation({
    id: 'users.delete',
    allow: { plane: 'admin' },
    summary: 'Remove a user, with all tokens, sessions and roles',
    reply: [204],
    errors: ['conflict', 'last-administrator'],
  })
  async delete(@IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null, @Who() caller: Caller) {
    await this.users.delete(id, ifMatch, caller)
  }

  @Post(':id/reset-password')
  @Operation({
    id: 'users.resetPassword',
    allow: { plane: 'admin' },
    summary: 'Give a person a one-time password, shown in this reply alone; ends their sessions and unlocks them',
    reply: [200, OneTimePasswordView],
    errors: ['conflict', 'unavailable'],
    secretReply: true,
  })
  async resetPassword(@IdParam() id: string): Promise<OneTimePasswordView> {
    return this.users.resetPassword(id)
  }
}
