import { Delete, Get, Param, Put, Req } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import type { Caller } from '../../platform/caller.js'
import { Who } from '../../platform/who.js'
import { requireKeeper } from './keeper.js'
import { missing } from './reading.service.js'
import { Face, keeper, Octavia, viewer } from './route.js'

/** A balancer here has no machine of its own: administrators that look for amphorae find none. */
@Face('v2.0/octavia/amphorae', 'v2/octavia/amphorae')
export class OctaviaAmphoraController {
  @Get()
  @Octavia('amphorae.list', viewer)
  list(@Who() caller: Caller, @Req() _: FastifyRequest) {
    requireKeeper(caller)
    return { amphorae: [], amphorae_links: [] }
  }

  @Get(':id')
  @Octavia('amphorae.get', viewer)
  get(@Who() caller: Caller, @Param('id') id: string, @Req() _: FastifyRequest) {
    return none(caller, id)
  }

  @Get(':id/stats')
  @Octavia('amphorae.statistics', viewer)
  statistics(@Who() caller: Caller, @Param('id') id: string, @Req() _: FastifyRequest) {
    return none(caller, id)
  }

  @Put(':id/:action')
  @Octavia('amphorae.act', keeper, 202)
  act(@Who() caller: Caller, @Param('id') id: string, @Param('action') _: string) {
    return none(caller, id)
  }

  @Delete(':id')
  @Octavia('amphorae.delete', keeper, 204)
  delete(@Who() caller: Caller, @Param('id') id: string) {
    return none(caller, id)
  }
}

/** @throws Forbidden, NotFound */
function none(caller: Caller, id: string): never {
  requireKeeper(caller)
  throw missing('Amphora', id)
}
