import { Body, Delete, Get, Param, Post, Put, Query, Req } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import type { Caller } from '../../platform/caller.js'
import { Who } from '../../platform/who.js'
import { flagOf } from './list-query.js'
import { OctaviaParts } from './parts.service.js'
import { askedOf, Octavia, OctaviaController, operator, viewer } from './route.js'

@OctaviaController('pools')
export class OctaviaPoolController {
  constructor(private readonly parts: OctaviaParts) {}

  @Get()
  @Octavia('pools.list', viewer)
  list(@Who() caller: Caller, @Req() request: FastifyRequest) {
    return this.parts.list(caller, 'pools', askedOf(request))
  }

  @Post()
  @Octavia('pools.create', operator, 201)
  create(@Who() caller: Caller, @Body() body: unknown) {
    return this.parts.create(caller, 'pools', body)
  }

  @Get(':id')
  @Octavia('pools.get', viewer)
  get(@Who() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest) {
    return this.parts.get(caller, 'pools', id, askedOf(request))
  }

  @Put(':id')
  @Octavia('pools.update', operator)
  update(@Who() caller: Caller, @Param('id') id: string, @Body() body: unknown) {
    return this.parts.update(caller, 'pools', id, body)
  }

  @Delete(':id')
  @Octavia('pools.delete', operator, 204)
  delete(@Who() caller: Caller, @Param('id') id: string) {
    return this.parts.delete(caller, 'pools', id)
  }
}

@OctaviaController('pools/:poolId/members')
export class OctaviaMemberController {
  constructor(private readonly parts: OctaviaParts) {}

  @Get()
  @Octavia('members.list', viewer)
  list(@Who() caller: Caller, @Param('poolId') poolId: string, @Req() request: FastifyRequest) {
    return this.parts.list(caller, 'members', askedOf(request), poolId)
  }

  @Post()
  @Octavia('members.create', operator, 201)
  create(@Who() caller: Caller, @Param('poolId') poolId: string, @Body() body: unknown) {
    return this.parts.create(caller, 'members', body, poolId)
  }

  @Put()
  @Octavia('members.put', operator, 202)
  put(
    @Who() caller: Caller,
    @Param('poolId') poolId: string,
    @Body() body: unknown,
    @Query('additive_only') additiveOnly?: string,
  ) {
    return this.parts.putMembers(caller, poolId, body, flagOf('additive_only', additiveOnly))
  }

  @Get(':id')
  @Octavia('members.get', viewer)
  get(@Who() caller: Caller, @Param('poolId') poolId: string, @Param('id') id: string, @Req() request: FastifyRequest) {
    return this.parts.get(caller, 'members', id, askedOf(request), poolId)
  }

  @Put(':id')
  @Octavia('members.update', operator)
  update(@Who() caller: Caller, @Param('poolId') poolId: string, @Param('id') id: string, @Body() body: unknown) {
    return this.parts.update(caller, 'members', id, body, poolId)
  }

  @Delete(':id')
  @Octavia('members.delete', operator, 204)
  delete(@Who() caller: Caller, @Param('poolId') poolId: string, @Param('id') id: string) {
    return this.parts.delete(caller, 'members', id, poolId)
  }
}

@OctaviaController('healthmonitors')
export class OctaviaHealthMonitorController {
  constructor(private readonly parts: OctaviaParts) {}

  @Get()
  @Octavia('healthMonitors.list', viewer)
  list(@Who() caller: Caller, @Req() request: FastifyRequest) {
    return this.parts.list(caller, 'healthMonitors', askedOf(request))
  }

  @Post()
  @Octavia('healthMonitors.create', operator, 201)
  create(@Who() caller: Caller, @Body() body: unknown) {
    return this.parts.create(caller, 'healthMonitors', body)
  }

  @Get(':id')
  @Octavia('healthMonitors.get', viewer)
  get(@Who() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest) {
    return this.parts.get(caller, 'healthMonitors', id, askedOf(request))
  }

  @Put(':id')
  @Octavia('healthMonitors.update', operator)
  update(@Who() caller: Caller, @Param('id') id: string, @Body() body: unknown) {
    return this.parts.update(caller, 'healthMonitors', id, body)
  }

  @Delete(':id')
  @Octavia('healthMonitors.delete', operator, 204)
  delete(@Who() caller: Caller, @Param('id') id: string) {
    return this.parts.delete(caller, 'healthMonitors', id)
  }
}
