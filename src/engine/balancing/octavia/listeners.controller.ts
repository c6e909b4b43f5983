import { Body, Delete, Get, Param, Post, Put, Req } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import type { Caller } from '../../platform/caller.js'
import { Who } from '../../platform/who.js'
import { OctaviaBalancers } from './balancers.service.js'
import { OctaviaParts } from './parts.service.js'
import { askedOf, Octavia, OctaviaController, operator, viewer } from './route.js'

@OctaviaController('listeners')
export class OctaviaListenerController {
  constructor(
    private readonly parts: OctaviaParts,
    private readonly balancers: OctaviaBalancers,
  ) {}

  @Get()
  @Octavia('listeners.list', viewer)
  list(@Who() caller: Caller, @Req() request: FastifyRequest) {
    return this.parts.list(caller, 'listeners', askedOf(request))
  }

  @Post()
  @Octavia('listeners.create', operator, 201)
  create(@Who() caller: Caller, @Body() body: unknown) {
    return this.parts.create(caller, 'listeners', body)
  }

  @Get(':id')
  @Octavia('listeners.get', viewer)
  get(@Who() caller: Caller, @Param('id') id: string, @Req() request: FastifyRequest) {
    return this.parts.get(caller, 'listeners', id, askedOf(request))
  }

  @Put(':id')
  @Octavia('listeners.update', operator)
  update(@Who() caller: Caller, @Param('id') id: string, @Body() body: unknown) {
    return this.parts.update(caller, 'listeners', id, body)
  }

  @Delete(':id')
  @Octavia('listeners.delete', operator, 204)
  delete(@Who() caller: Caller, @Param('id') id: string) {
    return this.parts.delete(caller, 'listeners', id)
  }

  @Get(':id/stats')
  @Octavia('listeners.statistics', viewer)
  statistics(@Who() caller: Caller, @Param('id') id: string) {
    return this.balancers.statisticsOfListener(caller, id)
  }
}
