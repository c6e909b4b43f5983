import { Body, Delete, Get, Param, Post, Put, Query, Req } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import type { Caller } from '../../platform/caller.js'
import { Who } from '../../platform/who.js'
import { OctaviaBalancers } from './balancers.service.js'
import { flagOf } from './list-query.js'
import { askedOf, Octavia, OctaviaController, operator, viewer } from './route.js'

@OctaviaController('loadbalancers')
export class OctaviaLoadBalancerController {
  constructor(private readonly balancers: OctaviaBalancers) {}

  @Get()
  @Octavia('loadBalancers.list', viewer)
  list(@Who() caller: Caller, @Req() request: FastifyRequest) {
    return this.balancers.list(caller, askedOf(request))
  }

  @Post()
  @Octavia('loadBalancers.create', operator, 201)
  create(@Who() caller: Caller, @Body() body: unknown) {
    return this.balancers.create(caller, body)
  }

  @Get(':id')
  @Octavia('loadBalancers.get', viewer)
  get(@Who() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest) {
    return this.balancers.get(caller, id, askedOf(request))
  }

  @Put(':id')
  @Octavia('loadBalancers.update', operator)
  update(@Who() caller: Caller, @Param('id') id: string, @Body() body: unknown) {
    return this.balancers.update(caller, id, body)
  }

  @Delete(':id')
  @Octavia('loadBalancers.delete', operator, 204)
  delete(@Who() caller: Caller, @Param('id') id: string, @Query('cascade') cascade?: string) {
    return this.balancers.delete(caller, id, flagOf('cascade', cascade))
  }

  @Put(':id/failover')
  @Octavia('loadBalancers.failover', operator, 202)
  failover(@Who() caller: Caller, @Param('id') id: string) {
    return this.balancers.failover(caller, id)
  }

  @Get(':id/status')
  @Octavia('loadBalancers.status', viewer)
  status(@Who() caller: Caller, @Param('id') id: string) {
    return this.balancers.status(caller, id)
  }

  /** The older name of it. */
  @Get(':id/statuses')
  @Octavia('loadBalancers.statuses', viewer)
  statuses(@Who() caller: Caller, @Param('id') id: string) {
    return this.balancers.status(caller, id)
  }

  @Get(':id/stats')
  @Octavia('loadBalancers.statistics', viewer)
  statistics(@Who() caller: Caller, @Param('id') id: string) {
    return this.balancers.statistics(caller, id)
  }
}
