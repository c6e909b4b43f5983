import { Body, Delete, Get, Patch, Post, Query } from '@nestjs/common'
import { type IfMatch, IfMatchHeader } from '../platform/etag.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { created } from '../platform/reply.js'
import { HostCreate, HostQuery, HostUpdate, HostView, MaintenanceRequest, viewHost } from './host.dto.js'
import { Hosts } from './hosts.service.js'

@RestController('hosts', 'Hosts', 'The machines that run an agent, and what is asked of them.')
export class HostController {
  constructor(private readonly hosts: Hosts) {}

  @Get()
  @Operation({ id: 'hosts.list', allow: { plane: 'viewer' }, summary: 'List hosts', reply: [200, PageOf(HostView)] })
  async list(@Query() query: HostQuery) {
    return viewPage(await this.hosts.list(query), viewHost)
  }

  @Post()
  @Operation({
    id: 'hosts.create',
    allow: { plane: 'admin' },
    summary: 'Make a host known before its agent dials in',
    reply: [201, HostView],
    etag: true,
  })
  async create(@Body() body: HostCreate) {
    const host = await this.hosts.create(body)
    return created(viewHost(host), `/api/v1/hosts/${host.id}`)
  }

  @Get(':id')
  @Operation({
    id: 'hosts.get',
    allow: { plane: 'viewer' },
    summary: 'Show a host',
    reply: [200, HostView],
    etag: true,
  })
  async get(@IdParam() id: string) {
    return viewHost(await this.hosts.require(id))
  }

  @Patch(':id')
  @Operation({
    id: 'hosts.update',
    allow: { plane: 'operator' },
    summary: 'Change the labels of a host',
    reply: [200, HostView],
    etag: true,
  })
  async update(@IdParam() id: string, @Body() body: HostUpdate, @IfMatchHeader() ifMatch: IfMatch | null) {
    return viewHost(await this.hosts.update(id, body, ifMatch))
  }

  @Delete(':id')
  @Operation({
    id: 'hosts.delete',
    allow: { plane: 'admin' },
    summary: 'Remove a host whose agent has left',
    reply: [204],
    errors: ['conflict', 'in-use'],
  })
  async delete(@IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    await this.hosts.delete(id, ifMatch)
  }

  @Post(':id/maintenance')
  @Operation({
    id: 'hosts.maintain',
    allow: { plane: 'operator' },
    summary: 'Put a host into maintenance: it takes no new work, and is in maintenance once nothing is left to move',
    reply: [200, HostView],
    etag: true,
    errors: ['conflict'],
  })
  async maintain(@IdParam() id: string, @Body() body: MaintenanceRequest) {
    return viewHost(await this.hosts.maintain(id, body.reason))
  }

  @Post(':id/activate')
  @Operation({
    id: 'hosts.activate',
    allow: { plane: 'operator' },
    summary: 'Take a host out of maintenance',
    reply: [200, HostView],
    etag: true,
    errors: ['conflict'],
  })
  async activate(@IdParam() id: string) {
    return viewHost(await this.hosts.activate(id))
  }
}
