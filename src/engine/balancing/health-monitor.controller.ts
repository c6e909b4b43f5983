import { Body, Delete, Get, Patch, Post, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { accepted } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { BalancerParts } from './balancer-parts.service.js'
import { createHealthMonitor, deleteHealthMonitor, updateHealthMonitor } from './edits/health-monitors.js'
import {
  HealthMonitorCreate,
  HealthMonitorQuery,
  HealthMonitorUpdate,
  HealthMonitorView,
  viewHealthMonitor,
} from './health-monitor.dto.js'
import { type HowAsked, HowHeaders } from './how-asked.js'

@RestController('health-monitors', 'Health monitors', 'How the members of a pool are checked.')
export class HealthMonitorController {
  constructor(private readonly parts: BalancerParts) {}

  @Get()
  @Operation({
    id: 'healthMonitors.list',
    allow: { project: 'viewer' },
    summary: 'List health monitors',
    reply: [200, PageOf(HealthMonitorView)],
  })
  async list(@Who() caller: Caller, @Query() query: HealthMonitorQuery) {
    return viewPage(await this.parts.list(caller, 'healthMonitors', query), viewHealthMonitor)
  }

  @Post()
  @Operation({
    id: 'healthMonitors.create',
    allow: { project: 'operator' },
    summary: 'Make a health monitor',
    reply: [202, HealthMonitorView],
    requestExample: {
      poolId: '4a5b6c7d-8e9f-4a0b-8c1d-2e3f4a5b6c7d',
      type: 'HTTP',
      delay: 5,
      timeout: 3,
      maxRetries: 2,
    },
    etag: true,
    errors: ['not-found', 'pending', 'monitor-taken', 'not-supported'],
  })
  async create(@Who() caller: Caller, @Body() body: HealthMonitorCreate, @HowHeaders() how: HowAsked) {
    const edit = (id: string) => createHealthMonitor(body.poolId, { ...body, id })
    return accepted(
      viewHealthMonitor(
        await this.parts.create(caller, 'healthMonitors', { noun: 'pools', id: body.poolId }, edit, how),
      ),
    )
  }

  @Get(':id')
  @Operation({
    id: 'healthMonitors.get',
    allow: { project: 'viewer' },
    summary: 'Show a health monitor',
    reply: [200, HealthMonitorView],
    etag: true,
  })
  async get(@Who() caller: Caller, @IdParam() id: string) {
    return viewHealthMonitor(await this.parts.require(caller, 'healthMonitors', id))
  }

  @Patch(':id')
  @Operation({
    id: 'healthMonitors.update',
    allow: { project: 'operator' },
    summary: 'Change a health monitor',
    reply: [202, HealthMonitorView],
    requestExample: { urlPath: '/health' },
    etag: true,
    errors: ['pending', 'not-supported'],
  })
  async update(
    @Who() caller: Caller,
    @IdParam() id: string,
    @Body() body: HealthMonitorUpdate,
    @HowHeaders() how: HowAsked,
  ) {
    return accepted(
      viewHealthMonitor(await this.parts.update(caller, 'healthMonitors', id, updateHealthMonitor(id, body), how)),
    )
  }

  @Delete(':id')
  @Operation({
    id: 'healthMonitors.delete',
    allow: { project: 'operator' },
    summary: 'Remove a health monitor',
    reply: [202, HealthMonitorView],
    etag: true,
    errors: ['pending'],
  })
  async delete(@Who() caller: Caller, @IdParam() id: string, @HowHeaders() how: HowAsked) {
    return accepted(
      viewHealthMonitor(await this.parts.delete(caller, 'healthMonitors', id, deleteHealthMonitor(id), how)),
    )
  }
}
