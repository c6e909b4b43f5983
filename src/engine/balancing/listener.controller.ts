import { Body, Delete, Get, Patch, Post, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { accepted } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { BalancerParts } from './balancer-parts.service.js'
import { BalancerRequests } from './balancer-requests.service.js'
import { createListener, deleteListener, updateListener } from './edits/listeners.js'
import { type HowAsked, HowHeaders } from './how-asked.js'
import { ListenerCreate, ListenerQuery, ListenerUpdate, ListenerView, viewListener } from './listener.dto.js'
import { StatisticsView, viewListenerStatistics } from './statistics.dto.js'

@RestController('listeners', 'Listeners', 'Ports of load balancers.')
export class ListenerController {
  constructor(
    private readonly parts: BalancerParts,
    private readonly requests: BalancerRequests,
  ) {}

  @Get()
  @Operation({
    id: 'listeners.list',
    allow: { project: 'viewer' },
    summary: 'List listeners',
    reply: [200, PageOf(ListenerView)],
  })
  async list(@Who() caller: Caller, @Query() query: ListenerQuery) {
    return viewPage(await this.parts.list(caller, 'listeners', query), viewListener)
  }

  @Post()
  @Operation({
    id: 'listeners.create',
    allow: { project: 'operator' },
    summary: 'Make a listener',
    reply: [202, ListenerView],
    requestExample: { loadBalancerId: '3f1d6a52-70a9-4d35-9f0e-1b2c3d4e5f60', protocol: 'HTTP', protocolPort: 80 },
    etag: true,
    errors: ['not-found', 'pending', 'port-taken', 'not-supported'],
  })
  async create(@Who() caller: Caller, @Body() body: ListenerCreate, @HowHeaders() how: HowAsked) {
    const edit = (id: string) => createListener({ ...body, id })
    return accepted(
      viewListener(
        await this.parts.create(caller, 'listeners', { noun: 'loadBalancer', id: body.loadBalancerId }, edit, how),
      ),
    )
  }

  @Get(':id')
  @Operation({
    id: 'listeners.get',
    allow: { project: 'viewer' },
    summary: 'Show a listener',
    reply: [200, ListenerView],
    etag: true,
  })
  async get(@Who() caller: Caller, @IdParam() id: string) {
    return viewListener(await this.parts.require(caller, 'listeners', id))
  }

  @Patch(':id')
  @Operation({
    id: 'listeners.update',
    allow: { project: 'operator' },
    summary: 'Change a listener',
    reply: [202, ListenerView],
    requestExample: { connectionLimit: 10_000 },
    etag: true,
    errors: ['pending', 'not-supported'],
  })
  async update(
    @Who() caller: Caller,
    @IdParam() id: string,
    @Body() body: ListenerUpdate,
    @HowHeaders() how: HowAsked,
  ) {
    return accepted(viewListener(await this.parts.update(caller, 'listeners', id, updateListener(id, body), how)))
  }

  @Delete(':id')
  @Operation({
    id: 'listeners.delete',
    allow: { project: 'operator' },
    summary: 'Remove a listener',
    reply: [202, ListenerView],
    etag: true,
    errors: ['pending'],
  })
  async delete(@Who() caller: Caller, @IdParam() id: string, @HowHeaders() how: HowAsked) {
    return accepted(viewListener(await this.parts.delete(caller, 'listeners', id, deleteListener(id), how)))
  }

  @Get(':id/statistics')
  @Operation({
    id: 'listeners.statistics',
    allow: { project: 'viewer' },
    summary: 'Show what a listener has carried',
    reply: [200, StatisticsView],
  })
  async statistics(@Who() caller: Caller, @IdParam() id: string) {
    return viewListenerStatistics(await this.requests.above(caller, id), id)
  }
}
