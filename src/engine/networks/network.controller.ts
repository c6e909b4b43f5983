import { Body, Delete, Get, Patch, Post, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { type IfMatch, IfMatchHeader } from '../platform/etag.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { created } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { NetworkAddressQuery, NetworkCreate, NetworkQuery, NetworkUpdate } from './network.dto.js'
import { NetworkAddressView, NetworkView, viewAddress, viewNetwork } from './network-view.dto.js'
import { Networks } from './networks.service.js'

const EXAMPLE = {
  name: 'public',
  cidr: '192.0.2.0/24',
  gateway: '192.0.2.1',
  ranges: [{ from: '192.0.2.100', to: '192.0.2.199' }],
  bridge: 'br-public',
  createBridge: true,
  uplink: 'eth1',
  vlan: 120,
}

@RestController('networks', 'Networks', 'Addresses that things take theirs from, and the bridge on hosts behind them.')
export class NetworkController {
  constructor(private readonly networks: Networks) {}

  @Get()
  @Operation({
    id: 'networks.list',
    allow: { project: 'viewer' },
    summary: 'List the networks of the caller’s projects and those of everybody',
    reply: [200, PageOf(NetworkView)],
  })
  async list(@Who() caller: Caller, @Query() query: NetworkQuery) {
    return viewPage(await this.networks.list(caller, query), viewNetwork)
  }

  @Post()
  @Operation({
    id: 'networks.create',
    allow: { plane: 'admin' },
    summary: 'Make a network',
    description: 'Hosts are told of it by the first thing that has an address of it there.',
    reply: [201, NetworkView],
    requestExample: EXAMPLE,
    etag: true,
    errors: ['not-found', 'name-taken', 'network-overlaps'],
  })
  async create(@Body() body: NetworkCreate) {
    const made = await this.networks.create(body)
    return created(viewNetwork(made), `/api/v1/networks/${made.network.id}`)
  }

  @Get(':id')
  @Operation({
    id: 'networks.get',
    allow: { project: 'viewer' },
    summary: 'Show a network',
    reply: [200, NetworkView],
    etag: true,
  })
  async get(@Who() caller: Caller, @IdParam() id: string) {
    return viewNetwork(await this.networks.require(caller, id))
  }

  @Patch(':id')
  @Operation({
    id: 'networks.update',
    allow: { plane: 'admin' },
    summary: 'Change the name, the description, the ranges or the gateway of a network',
    reply: [200, NetworkView],
    requestExample: { ranges: [{ from: '192.0.2.50', to: '192.0.2.199' }] },
    etag: true,
    errors: ['name-taken', 'in-use'],
  })
  async update(@IdParam() id: string, @Body() body: NetworkUpdate, @IfMatchHeader() ifMatch: IfMatch | null) {
    return viewNetwork(await this.networks.update(id, body, ifMatch))
  }

  @Delete(':id')
  @Operation({
    id: 'networks.delete',
    allow: { plane: 'admin' },
    summary: 'Remove a network that nothing has an address of',
    reply: [204],
    errors: ['in-use'],
  })
  async delete(@IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    await this.networks.delete(id, ifMatch)
  }

  @Get(':id/addresses')
  @Operation({
    id: 'networks.addresses',
    allow: { project: 'viewer' },
    summary: 'List the addresses of a network, and who has them',
    reply: [200, PageOf(NetworkAddressView)],
  })
  async addresses(@Who() caller: Caller, @IdParam() id: string, @Query() query: NetworkAddressQuery) {
    return viewPage(await this.networks.addresses(caller, id, query), viewAddress(caller))
  }
}
