import { Body, Delete, Get, Patch, Post, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { accepted } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { BalancerParts } from './balancer-parts.service.js'
import { createL7Policy, deleteL7Policy, updateL7Policy } from './edits/l7-policies.js'
import { type HowAsked, HowHeaders } from './how-asked.js'
import { L7PolicyCreate, L7PolicyQuery, L7PolicyUpdate, L7PolicyView, viewL7Policy } from './l7-policy.dto.js'

@RestController(
  'l7-policies',
  'L7 policies',
  'What a listener does with requests that meet rules, before its default pool.',
)
export class L7PolicyController {
  constructor(private readonly parts: BalancerParts) {}

  @Get()
  @Operation({
    id: 'l7Policies.list',
    allow: { project: 'viewer' },
    summary: 'List L7 policies',
    reply: [200, PageOf(L7PolicyView)],
  })
  async list(@Who() caller: Caller, @Query() query: L7PolicyQuery) {
    return viewPage(await this.parts.list(caller, 'l7Policies', query), viewL7Policy)
  }

  @Post()
  @Operation({
    id: 'l7Policies.create',
    allow: { project: 'operator' },
    summary: 'Make an L7 policy',
    reply: [202, L7PolicyView],
    requestExample: {
      listenerId: '5b6c7d8e-9f0a-4b1c-8d2e-3f4a5b6c7d8e',
      action: 'REDIRECT_TO_URL',
      redirectUrl: 'https://shop.example/',
    },
    etag: true,
    errors: ['not-found', 'pending', 'conflict', 'not-supported'],
  })
  async create(@Who() caller: Caller, @Body() body: L7PolicyCreate, @HowHeaders() how: HowAsked) {
    const edit = (id: string) => createL7Policy(body.listenerId, { ...body, id })
    return accepted(
      viewL7Policy(
        await this.parts.create(caller, 'l7Policies', { noun: 'listeners', id: body.listenerId }, edit, how),
      ),
    )
  }

  @Get(':id')
  @Operation({
    id: 'l7Policies.get',
    allow: { project: 'viewer' },
    summary: 'Show an L7 policy',
    reply: [200, L7PolicyView],
    etag: true,
  })
  async get(@Who() caller: Caller, @IdParam() id: string) {
    return viewL7Policy(await this.parts.require(caller, 'l7Policies', id))
  }

  @Patch(':id')
  @Operation({
    id: 'l7Policies.update',
    allow: { project: 'operator' },
    summary: 'Change an L7 policy',
    reply: [202, L7PolicyView],
    requestExample: { position: 1 },
    etag: true,
    errors: ['pending', 'not-supported'],
  })
  async update(
    @Who() caller: Caller,
    @IdParam() id: string,
    @Body() body: L7PolicyUpdate,
    @HowHeaders() how: HowAsked,
  ) {
    return accepted(viewL7Policy(await this.parts.update(caller, 'l7Policies', id, updateL7Policy(id, body), how)))
  }

  @Delete(':id')
  @Operation({
    id: 'l7Policies.delete',
    allow: { project: 'operator' },
    summary: 'Remove an L7 policy',
    reply: [202, L7PolicyView],
    etag: true,
    errors: ['pending'],
  })
  async delete(@Who() caller: Caller, @IdParam() id: string, @HowHeaders() how: HowAsked) {
    return accepted(viewL7Policy(await this.parts.delete(caller, 'l7Policies', id, deleteL7Policy(id), how)))
  }
}
