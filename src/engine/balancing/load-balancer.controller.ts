import { Body, Delete, Get, Patch, Post, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { accepted } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { BalancerRequests } from './balancer-requests.service.js'
import { Balancers } from './balancers.service.js'
import { type HowAsked, HowHeaders, WaitHeader } from './how-asked.js'
import {
  LoadBalancerCreate,
  LoadBalancerDelete,
  LoadBalancerQuery,
  LoadBalancerUpdate,
  LoadBalancerView,
  viewLoadBalancer,
} from './load-balancer.dto.js'
import { StatisticsView, viewStatistics } from './statistics.dto.js'
import { StatusTreeView, viewStatusTree } from './status-tree.dto.js'

const EXAMPLE = {
  name: 'shop',
  vipNetworkId: '5c8f1e2d-3b4a-4c5d-8e6f-7a8b9c0d1e2f',
  listeners: [
    {
      protocol: 'HTTP',
      protocolPort: 80,
      defaultPool: {
        name: 'web',
        protocol: 'HTTP',
        lbAlgorithm: 'ROUND_ROBIN',
        members: [{ address: '192.0.2.21', protocolPort: 8080 }],
        healthMonitor: { type: 'HTTP', delay: 5, timeout: 3, maxRetries: 2, urlPath: '/health' },
      },
    },
  ],
}

@RestController(
  'load-balancers',
  'Load balancers',
  'One address each, with listeners, pools and members under it, made by HAProxy or nginx on a host.',
)
export class LoadBalancerController {
  constructor(
    private readonly requests: BalancerRequests,
    private readonly balancers: Balancers,
  ) {}

  @Get()
  @Operation({
    id: 'loadBalancers.list',
    allow: { project: 'viewer' },
    summary: 'List load balancers',
    reply: [200, PageOf(LoadBalancerView)],
  })
  async list(@Who() caller: Caller, @Query() query: LoadBalancerQuery) {
    return viewPage(await this.requests.list(caller, query), viewLoadBalancer)
  }

  @Post()
  @Operation({
    id: 'loadBalancers.create',
    allow: { project: 'operator' },
    summary: 'Make a load balancer, with all under it where that is said',
    description: 'Answers once it is stored with the command for its host; all of it is made or nothing.',
    reply: [202, LoadBalancerView],
    requestExample: EXAMPLE,
    etag: true,
    errors: ['not-found', 'conflict', 'quota-exceeded', 'not-supported'],
  })
  async create(@Who() caller: Caller, @Body() body: LoadBalancerCreate, @WaitHeader() how: HowAsked) {
    return accepted(viewLoadBalancer(await this.requests.create(caller, body, how)))
  }

  @Get(':id')
  @Operation({
    id: 'loadBalancers.get',
    allow: { project: 'viewer' },
    summary: 'Show a load balancer',
    reply: [200, LoadBalancerView],
    etag: true,
  })
  async get(@Who() caller: Caller, @IdParam() id: string) {
    return viewLoadBalancer(await this.requests.require(caller, id))
  }

  @Patch(':id')
  @Operation({
    id: 'loadBalancers.update',
    allow: { project: 'operator' },
    summary: 'Change the name, the description, the tags or the state of a load balancer',
    reply: [202, LoadBalancerView],
    requestExample: { adminStateUp: false },
    etag: true,
    errors: ['pending'],
  })
  async update(
    @Who() caller: Caller,
    @IdParam() id: string,
    @Body() body: LoadBalancerUpdate,
    @HowHeaders() how: HowAsked,
  ) {
    return accepted(viewLoadBalancer(await this.requests.update(caller, id, body, how)))
  }

  @Delete(':id')
  @Operation({
    id: 'loadBalancers.delete',
    allow: { project: 'operator' },
    summary: 'Remove a load balancer, whatever its state',
    description: 'It is gone once its device has confirmed that. With listeners or pools it takes `cascade=true`.',
    reply: [202, LoadBalancerView],
    etag: true,
  })
  async delete(
    @Who() caller: Caller,
    @IdParam() id: string,
    @Query() { cascade }: LoadBalancerDelete,
    @HowHeaders() how: HowAsked,
  ) {
    return accepted(viewLoadBalancer(await this.requests.delete(caller, id, cascade === 'true', how)))
  }

  @Post(':id/reset')
  @Operation({
    id: 'loadBalancers.reset',
    allow: { project: 'operator' },
    summary: 'Ask once more for what has failed',
    reply: [202, LoadBalancerView],
    etag: true,
    errors: ['conflict', 'pending'],
  })
  async reset(@Who() caller: Caller, @IdParam() id: string, @WaitHeader() how: HowAsked) {
    return accepted(viewLoadBalancer(await this.requests.reset(caller, id, how)))
  }

  @Get(':id/status')
  @Operation({
    id: 'loadBalancers.status',
    allow: { project: 'viewer' },
    summary: 'Show the statuses of a load balancer and of all under it',
    reply: [200, StatusTreeView],
  })
  async status(@Who() caller: Caller, @IdParam() id: string) {
    return viewStatusTree(await this.balancers.require(caller, id))
  }

  @Get(':id/statistics')
  @Operation({
    id: 'loadBalancers.statistics',
    allow: { project: 'viewer' },
    summary: 'Show what a load balancer has carried',
    reply: [200, StatisticsView],
  })
  async statistics(@Who() caller: Caller, @IdParam() id: string) {
    return viewStatistics((await this.requests.require(caller, id)).row)
  }
}
