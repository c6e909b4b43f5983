import { Body, Delete, Get, Patch, Post, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { accepted } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { BalancerParts } from './balancer-parts.service.js'
import { createL7Rule, deleteL7Rule, updateL7Rule } from './edits/l7-rules.js'
import { type HowAsked, HowHeaders } from './how-asked.js'
import { L7RuleCreate, L7RuleQuery, L7RuleUpdate, L7RuleView, viewL7Rule } from './l7-rule.dto.js'

@RestController('l7-policies/:policyId/rules', 'L7 rules', 'The conditions of an L7 policy.')
export class L7RuleController {
  constructor(private readonly parts: BalancerParts) {}

  @Get()
  @Operation({
    id: 'l7Rules.list',
    allow: { project: 'viewer' },
    summary: 'List L7 rules',
    reply: [200, PageOf(L7RuleView)],
  })
  async list(@Who() caller: Caller, @IdParam('policyId') policyId: string, @Query() query: L7RuleQuery) {
    return viewPage(
      await this.parts.listUnder(caller, 'l7Rules', { noun: 'l7Policies', id: policyId }, query),
      viewL7Rule,
    )
  }

  @Post()
  @Operation({
    id: 'l7Rules.create',
    allow: { project: 'operator' },
    summary: 'Make an L7 rule',
    reply: [202, L7RuleView],
    requestExample: { type: 'PATH', compareType: 'STARTS_WITH', value: '/api' },
    etag: true,
    errors: ['pending', 'too-many-rules', 'not-supported'],
  })
  async create(
    @Who() caller: Caller,
    @IdParam('policyId') policyId: string,
    @Body() body: L7RuleCreate,
    @HowHeaders() how: HowAsked,
  ) {
    const edit = (id: string) => createL7Rule(policyId, { ...body, id })
    return accepted(
      viewL7Rule(await this.parts.create(caller, 'l7Rules', { noun: 'l7Policies', id: policyId }, edit, how)),
    )
  }

  @Get(':id')
  @Operation({
    id: 'l7Rules.get',
    allow: { project: 'viewer' },
    summary: 'Show an L7 rule',
    reply: [200, L7RuleView],
    etag: true,
  })
  async get(@Who() caller: Caller, @IdParam('policyId') policyId: string, @IdParam() id: string) {
    return viewL7Rule(await this.parts.require(caller, 'l7Rules', id, { l7PolicyId: policyId }))
  }

  @Patch(':id')
  @Operation({
    id: 'l7Rules.update',
    allow: { project: 'operator' },
    summary: 'Change an L7 rule',
    reply: [202, L7RuleView],
    requestExample: { value: '/v2' },
    etag: true,
    errors: ['pending', 'not-supported'],
  })
  async update(
    @Who() caller: Caller,
    @IdParam('policyId') policyId: string,
    @IdParam() id: string,
    @Body() body: L7RuleUpdate,
    @HowHeaders() how: HowAsked,
  ) {
    return accepted(viewL7Rule(await this.parts.update(caller, 'l7Rules', id, updateL7Rule(policyId, id, body), how)))
  }

  @Delete(':id')
  @Operation({
    id: 'l7Rules.delete',
    allow: { project: 'operator' },
    summary: 'Remove an L7 rule',
    reply: [202, L7RuleView],
    etag: true,
    errors: ['pending'],
  })
  async delete(
    @Who() caller: Caller,
    @IdParam('policyId') policyId: string,
    @IdParam() id: string,
    @HowHeaders() how: HowAsked,
  ) {
    return accepted(viewL7Rule(await this.parts.delete(caller, 'l7Rules', id, deleteL7Rule(policyId, id), how)))
  }
}
