import { run } from '../host/run.js'
import type { Logger } from '../logger.js'
import { createVipPlaces } from '../networks/vip-places.js'
import { HOST_DEVICE } from './devices.js'
import { createHaproxyDriver } from './drivers/haproxy.js'
import { createNginxDriver } from './drivers/nginx.js'
import type { HostBalancing } from './host-balancing.js'

/** What makes load balancers on this host. What they keep lies in the state directory. */
export function createHostBalancing(stateDir: string, logger: Logger): HostBalancing {
  const places = createVipPlaces({ run, stateDir })
  const options = { stateDir, run, places, logger }
  return {
    places,
    devices: [
      { name: HOST_DEVICE, provider: 'haproxy', driver: createHaproxyDriver(options) },
      { name: HOST_DEVICE, provider: 'nginx', driver: createNginxDriver(options) },
    ],
  }
}
