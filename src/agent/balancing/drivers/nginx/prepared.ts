import type { LoadBalancerIntent } from '../../../../wire/balancing/intent.js'
import { featuresOf, lacksOf } from '../../../../wire/balancing/providers.js'
import { FaultError } from '../../../fault.js'
import type { WantedBalancer } from '../../driver.js'
import { type ServedCertificate, servedCertificate } from './certificates.js'
import { checksOf, type MemberCheck } from './checks.js'
import type { NginxPlan } from './plan.js'
import type { SeenWell } from './servers.js'

/** What can be said of a wanted balancer without a look at the host. */
export interface Prepared {
  readonly certificates: ReadonlyMap<string, ServedCertificate>
  readonly checks: readonly MemberCheck[]
}

/** @throws FaultError when something that it asks for is not what nginx does, or cannot be said to it */
export function prepare({ balancer, keys }: WantedBalancer): Prepared {
  const asked = featuresOf(balancer)
  const lacking = lacksOf.nginx.find((feature) => asked.has(feature))
  if (lacking !== undefined) {
    throw new FaultError(
      'balancing.unsupported',
      `nginx does not carry ${lacking}, which ${asked.get(lacking)} asks for`,
    )
  }
  return {
    certificates: new Map(
      balancer.certificates.map((certificate) => [
        certificate.id,
        servedCertificate(certificate, keys[certificate.id]),
      ]),
    ),
    checks: checksOf(balancer),
  }
}

export const planOf = (
  { directory, streamModule }: Pick<NginxPlan, 'directory' | 'streamModule'>,
  balancer: LoadBalancerIntent,
  certificates: NginxPlan['certificates'],
  seenWell: SeenWell,
): NginxPlan => ({
  balancer,
  seenWell,
  directory,
  listenAddress: balancer.vip.address,
  streamModule,
  certificates,
})
