import { Body, Delete, Get, Patch, Post, Put, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { accepted } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { BalancerParts } from './balancer-parts.service.js'
import { createMember, deleteMember, putMembers, updateMember } from './edits/members.js'
import { type HowAsked, HowHeaders } from './how-asked.js'
import { MemberCreate, MemberQuery, MembersPut, MemberUpdate, MemberView, viewMember } from './member.dto.js'
import { PoolView, viewPool } from './pool.dto.js'

@RestController('pools/:poolId/members', 'Members', 'Those that answer for a pool.')
export class MemberController {
  constructor(private readonly parts: BalancerParts) {}

  @Get()
  @Operation({
    id: 'members.list',
    allow: { project: 'viewer' },
    summary: 'List members',
    reply: [200, PageOf(MemberView)],
  })
  async list(@Who() caller: Caller, @IdParam('poolId') poolId: string, @Query() query: MemberQuery) {
    return viewPage(await this.parts.listUnder(caller, 'members', { noun: 'pools', id: poolId }, query), viewMember)
  }

  @Post()
  @Operation({
    id: 'members.create',
    allow: { project: 'operator' },
    summary: 'Make a member',
    reply: [202, MemberView],
    requestExample: { address: '192.0.2.21', protocolPort: 8080 },
    etag: true,
    errors: ['pending', 'member-taken', 'not-supported'],
  })
  async create(
    @Who() caller: Caller,
    @IdParam('poolId') poolId: string,
    @Body() body: MemberCreate,
    @HowHeaders() how: HowAsked,
  ) {
    const edit = (id: string) => createMember(poolId, { ...body, id })
    return accepted(viewMember(await this.parts.create(caller, 'members', { noun: 'pools', id: poolId }, edit, how)))
  }

  @Get(':id')
  @Operation({
    id: 'members.get',
    allow: { project: 'viewer' },
    summary: 'Show a member',
    reply: [200, MemberView],
    etag: true,
  })
  async get(@Who() caller: Caller, @IdParam('poolId') poolId: string, @IdParam() id: string) {
    return viewMember(await this.parts.require(caller, 'members', id, { poolId }))
  }

  @Patch(':id')
  @Operation({
    id: 'members.update',
    allow: { project: 'operator' },
    summary: 'Change a member',
    reply: [202, MemberView],
    requestExample: { weight: 0 },
    etag: true,
    errors: ['pending', 'not-supported'],
  })
  async update(
    @Who() caller: Caller,
    @IdParam('poolId') poolId: string,
    @IdParam() id: string,
    @Body() body: MemberUpdate,
    @HowHeaders() how: HowAsked,
  ) {
    return accepted(viewMember(await this.parts.update(caller, 'members', id, updateMember(poolId, id, body), how)))
  }

  @Delete(':id')
  @Operation({
    id: 'members.delete',
    allow: { project: 'operator' },
    summary: 'Remove a member',
    reply: [202, MemberView],
    etag: true,
    errors: ['pending'],
  })
  async delete(
    @Who() caller: Caller,
    @IdParam('poolId') poolId: string,
    @IdParam() id: string,
    @HowHeaders() how: HowAsked,
  ) {
    return accepted(viewMember(await this.parts.delete(caller, 'members', id, deleteMember(poolId, id), how)))
  }

  @Put()
  @Operation({
    id: 'members.put',
    allow: { project: 'operator' },
    summary: 'Say all members of a pool anew',
    description: 'In one change: those that are not named leave, unless it is additive.',
    reply: [202, PoolView],
    requestExample: { members: [{ address: '192.0.2.21', protocolPort: 8080 }] },
    etag: true,
    errors: ['pending', 'member-taken', 'not-supported'],
  })
  async put(
    @Who() caller: Caller,
    @IdParam('poolId') poolId: string,
    @Body() { members, additive }: MembersPut,
    @HowHeaders() how: HowAsked,
  ) {
    const edit = putMembers(poolId, members, { additive: additive ?? false })
    return accepted(viewPool(await this.parts.update(caller, 'pools', poolId, edit, how)))
  }
}
