import { Module, type OnModuleInit } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import type { FastifyAdapter } from '@nestjs/platform-fastify'
import { IdentityModule } from '../../identity/identity.module.js'
import { FaceFaults } from '../../platform/face-faults.js'
import { BalancingModule } from '../balancing.module.js'
import { OctaviaAmphoraController } from './amphorae.controller.js'
import { OctaviaLoadBalancerController } from './balancers.controller.js'
import { OctaviaBalancers } from './balancers.service.js'
import { OctaviaChanging } from './changing.service.js'
import { OctaviaCredentials } from './credentials.js'
import { faultOf, openstackId } from './faults.js'
import { OctaviaL7PolicyController, OctaviaL7RuleController } from './l7policies.controller.js'
import { OctaviaListenerController } from './listeners.controller.js'
import { OctaviaNetworkController, OctaviaProjectController, OctaviaVersionController } from './look-ups.controller.js'
import { OctaviaLookUps } from './look-ups.service.js'
import {
  OctaviaAvailabilityZoneController,
  OctaviaAvailabilityZoneProfileController,
  OctaviaFlavorController,
  OctaviaFlavorProfileController,
} from './offers.controller.js'
import { OctaviaOffers } from './offers.service.js'
import { OctaviaParts } from './parts.service.js'
import { OctaviaHealthMonitorController, OctaviaMemberController, OctaviaPoolController } from './pools.controller.js'
import { OctaviaProviderController } from './providers.controller.js'
import { OctaviaQuotaController } from './quotas.controller.js'
import { OctaviaQuotas } from './quotas.service.js'
import { OctaviaReading } from './reading.service.js'

/** Where this face is. */
const PATHS = /^\/(v2|v2\.0)(\/|$)|^(\/v3)?\/projects(\/|$)/

/** OpenStack's load-balancing API, on the same balancers as our own (docs/octavia.md). */
@Module({
  imports: [BalancingModule, IdentityModule],
  controllers: [
    OctaviaAmphoraController,
    OctaviaAvailabilityZoneController,
    OctaviaAvailabilityZoneProfileController,
    OctaviaFlavorController,
    OctaviaFlavorProfileController,
    OctaviaHealthMonitorController,
    OctaviaL7PolicyController,
    OctaviaL7RuleController,
    OctaviaListenerController,
    OctaviaLoadBalancerController,
    OctaviaMemberController,
    OctaviaNetworkController,
    OctaviaPoolController,
    OctaviaProjectController,
    OctaviaProviderController,
    OctaviaQuotaController,
    OctaviaVersionController,
  ],
  providers: [
    OctaviaBalancers,
    OctaviaChanging,
    OctaviaCredentials,
    OctaviaLookUps,
    OctaviaOffers,
    OctaviaParts,
    OctaviaQuotas,
    OctaviaReading,
  ],
})
export class OctaviaModule implements OnModuleInit {
  constructor(
    private readonly adapterHost: HttpAdapterHost<FastifyAdapter>,
    private readonly faults: FaceFaults,
  ) {}

  onModuleInit(): void {
    this.faults.register({ face: 'octavia', paths: PATHS, tell: faultOf })
    const server = this.adapterHost.httpAdapter?.getInstance()
    server?.addHook('onSend', (request, reply, payload, done) => {
      const isOurs = request.routeOptions.config.operation?.face === 'octavia'
      if (isOurs) reply.header('x-openstack-request-id', openstackId(request.id))
      done(null, payload)
    })
  }
}
