import { Get, Param, Query, Req } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import type { Caller } from '../../platform/caller.js'
import { Who } from '../../platform/who.js'
import { type Named, OctaviaLookUps } from './look-ups.service.js'
import { Face, Octavia, viewer } from './route.js'
import { versionsAt } from './versions.js'

/** What may be spoken here: clients of OpenStack begin at the root. */
@Face('')
export class OctaviaVersionController {
  @Get()
  @Octavia('versions.root', 'anyone')
  versions(@Req() { protocol, host }: FastifyRequest) {
    return versionsAt(`${protocol}://${host}`)
  }
}

/** What clients of load balancing ask of networking, under the same address. */
@Face('v2.0', 'v2')
export class OctaviaNetworkController {
  constructor(private readonly lookUps: OctaviaLookUps) {}

  @Get()
  @Octavia('versions.list', 'anyone')
  versions(@Req() { protocol, host }: FastifyRequest) {
    return versionsAt(`${protocol}://${host}`)
  }

  @Get('networks')
  @Octavia('networks.list', viewer)
  networks(@Who() caller: Caller, @Query() named: Named) {
    return this.lookUps.networks(caller, named)
  }

  /** None that a client could bring along: an address is all that there is to a VIP. */
  @Get('ports')
  @Octavia('ports.list', viewer)
  ports(@Req() _: FastifyRequest) {
    return { ports: [] }
  }

  @Get('qos/policies')
  @Octavia('qosPolicies.list', viewer)
  qosPolicies(@Req() _: FastifyRequest) {
    return { policies: [] }
  }

  @Get('subnets')
  @Octavia('subnets.list', viewer)
  subnets(@Who() caller: Caller, @Query() named: Named) {
    return this.lookUps.subnets(caller, named)
  }
}

/** What they ask of identity. */
@Face('projects', 'v3/projects')
export class OctaviaProjectController {
  constructor(private readonly lookUps: OctaviaLookUps) {}

  @Get()
  @Octavia('projects.list', viewer)
  list(@Who() caller: Caller, @Query() named: Named) {
    return this.lookUps.projects(caller, named)
  }

  @Get(':id')
  @Octavia('projects.get', viewer)
  get(@Who() caller: Caller, @Param('id') id: string) {
    return this.lookUps.project(caller, id)
  }
}
