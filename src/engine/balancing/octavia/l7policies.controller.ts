import { Body, Delete, Get, Param, Post, Put, Req } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import type { Caller } from '../../platform/caller.js'
import { Who } from '../../platform/who.js'
import { OctaviaParts } from './parts.service.js'
import { askedOf, Octavia, OctaviaController, operator, viewer } from './route.js'

@OctaviaController('l7policies')
export class OctaviaL7PolicyController {
  constructor(private readonly parts: OctaviaParts) {}

  @Get()
  @Octavia('l7Policies.list', viewer)
  list(@Who() caller: Caller, @Req() request: FastifyRequest) {
    return this.parts.list(caller, 'l7Policies', askedOf(request))
  }

  @Post()
  @Octavia('l7Policies.create', operator, 201)
  create(@Who() caller: Caller, @Body() body: unknown) {
    return this.parts.create(caller, 'l7Policies', body)
  }

  @Get(':id')
  @Octavia('l7Policies.get', viewer)
  get(@Who() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest) {
    return this.parts.get(caller, 'l7Policies', id, askedOf(request))
  }

  @Put(':id')
  @Octavia('l7Policies.update', operator)
  update(@Who() caller: Caller, @Param('id') id: string, @Body() body: unknown) {
    return this.parts.update(caller, 'l7Policies', id, body)
  }

  @Delete(':id')
  @Octavia('l7Policies.delete', operator, 204)
  delete(@Who() caller: Caller, @Param('id') id: string) {
    return this.parts.delete(caller, 'l7Policies', id)
  }
}

@OctaviaController('l7policies/:policyId/rules')
export class OctaviaL7RuleController {
  constructor(private readonly parts: OctaviaParts) {}

  @Get()
  @Octavia('l7Rules.list', viewer)
  list(@Who() caller: Caller, @Param('policyId') policyId: string, @Req() request: FastifyRequest) {
    return this.parts.list(caller, 'l7Rules', askedOf(request), policyId)
  }

  @Post()
  @Octavia('l7Rules.create', operator, 201)
  create(@Who() caller: Caller, @Param('policyId') policyId: string, @Body() body: unknown) {
    return this.parts.create(caller, 'l7Rules', body, policyId)
  }

  @Get(':id')
  @Octavia('l7Rules.get', viewer)
  get(
    @Who() caller: Caller,
    @Param('policyId') policyId: string,
    @Param('id') id: string,
    @Req() request: FastifyRequest,
  ) {
    return this.parts.get(caller, 'l7Rules', id, askedOf(request), policyId)
  }

  @Put(':id')
  @Octavia('l7Rules.update', operator)
  update(@Who() caller: Caller, @Param('policyId') policyId: string, @Param('id') id: string, @Body() body: unknown) {
    return this.parts.update(caller, 'l7Rules', id, body, policyId)
  }

  @Delete(':id')
  @Octavia('l7Rules.delete', operator, 204)
  delete(@Who() caller: Caller, @Param('policyId') policyId: string, @Param('id') id: string) {
    return this.parts.delete(caller, 'l7Rules', id, policyId)
  }
}
