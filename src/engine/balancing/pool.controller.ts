import { Body, Delete, Get, Patch, Post, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { accepted } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { BalancerParts } from './balancer-parts.service.js'
import { createPool, deletePool, updatePool } from './edits/pools.js'
import { type HowAsked, HowHeaders } from './how-asked.js'
import { PoolCreate, PoolQuery, PoolUpdate, PoolView, viewPool } from './pool.dto.js'
import { ownerOfPool } from './pool-owner.js'

@RestController('pools', 'Pools', 'Members that take the same requests.')
export class PoolController {
  constructor(private readonly parts: BalancerParts) {}

  @Get()
  @Operation({
    id: 'pools.list',
    allow: { project: 'viewer' },
    summary: 'List pools',
    reply: [200, PageOf(PoolView)],
  })
  async list(@Who() caller: Caller, @Query() query: PoolQuery) {
    return viewPage(await this.parts.list(caller, 'pools', query), viewPool)
  }

  @Post()
  @Operation({
    id: 'pools.create',
    allow: { project: 'operator' },
    summary: 'Make a pool',
    reply: [202, PoolView],
    requestExample: {
      listenerId: '5b6c7d8e-9f0a-4b1c-8d2e-3f4a5b6c7d8e',
      protocol: 'HTTP',
      lbAlgorithm: 'ROUND_ROBIN',
    },
    etag: true,
    errors: ['not-found', 'pending', 'pool-taken', 'not-supported'],
  })
  async create(@Who() caller: Caller, @Body() body: PoolCreate, @HowHeaders() how: HowAsked) {
    const edit = (id: string) => createPool({ ...body, id })
    return accepted(viewPool(await this.parts.create(caller, 'pools', ownerOfPool(body), edit, how)))
  }

  @Get(':id')
  @Operation({
    id: 'pools.get',
    allow: { project: 'viewer' },
    summary: 'Show a pool',
    reply: [200, PoolView],
    etag: true,
  })
  async get(@Who() caller: Caller, @IdParam() id: string) {
    return viewPool(await this.parts.require(caller, 'pools', id))
  }

  @Patch(':id')
  @Operation({
    id: 'pools.update',
    allow: { project: 'operator' },
    summary: 'Change a pool',
    reply: [202, PoolView],
    requestExample: { lbAlgorithm: 'LEAST_CONNECTIONS' },
    etag: true,
    errors: ['pending', 'not-supported'],
  })
  async update(@Who() caller: Caller, @IdParam() id: string, @Body() body: PoolUpdate, @HowHeaders() how: HowAsked) {
    return accepted(viewPool(await this.parts.update(caller, 'pools', id, updatePool(id, body), how)))
  }

  @Delete(':id')
  @Operation({
    id: 'pools.delete',
    allow: { project: 'operator' },
    summary: 'Remove a pool',
    reply: [202, PoolView],
    etag: true,
    errors: ['pending', 'pool-in-use'],
  })
  async delete(@Who() caller: Caller, @IdParam() id: string, @HowHeaders() how: HowAsked) {
    return accepted(viewPool(await this.parts.delete(caller, 'pools', id, deletePool(id), how)))
  }
}
