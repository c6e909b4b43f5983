import { Body, Delete, Get, Param, Put, Req } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import type { Caller } from '../../platform/caller.js'
import { Who } from '../../platform/who.js'
import { OctaviaQuotas } from './quotas.service.js'
import { askedOf, keeper, Octavia, OctaviaController, viewer } from './route.js'

@OctaviaController('quotas')
export class OctaviaQuotaController {
  constructor(private readonly quotas: OctaviaQuotas) {}

  @Get()
  @Octavia('quotas.list', viewer)
  list(@Who() caller: Caller, @Req() request: FastifyRequest) {
    return this.quotas.list(caller, askedOf(request))
  }

  @Get('defaults')
  @Octavia('quotas.defaults', viewer)
  defaults() {
    return this.quotas.defaults()
  }

  @Get(':projectId/default')
  @Octavia('quotas.defaultsOf', viewer)
  defaultsOf(@Param('projectId') _: string) {
    return this.quotas.defaults()
  }

  @Get(':projectId')
  @Octavia('quotas.get', viewer)
  get(@Who() caller: Caller, @Param('projectId') projectId: string) {
    return this.quotas.get(caller, projectId)
  }

  @Put(':projectId')
  @Octavia('quotas.put', keeper, 202)
  put(@Who() caller: Caller, @Param('projectId') projectId: string, @Body() body: unknown) {
    return this.quotas.put(caller, projectId, body)
  }

  @Delete(':projectId')
  @Octavia('quotas.delete', keeper, 202)
  delete(@Who() caller: Caller, @Param('projectId') projectId: string) {
    return this.quotas.delete(caller, projectId)
  }
}
