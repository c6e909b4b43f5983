import type { Logger } from '../logger.js'
import type { VipPlaces } from '../networks/vip-place.js'
import { Slots } from '../slots.js'
import type { Balancer } from './balancer.js'

/** A third of them fail, or come late, and the VIP is still there. */
const RENEWALS_A_LEASE = 4
const RENEWED_AT_ONCE = 8

/**
 * VIPs are lent to this host for as long as it may be without a session, and it is the kernel that takes them back: also from an agent
 * that was killed, stopped, or ended for good (docs/adr/0053). One that is in a session renews them.
 */
export class VipLeases {
  private lifeMs = 0
  private renewedMs = Number.NEGATIVE_INFINITY
  private readonly slots = new Slots(RENEWED_AT_ONCE)
  private readonly renewing = new Set<Balancer>()

  constructor(
    private readonly places: VipPlaces | null,
    private readonly logger: Logger,
  ) {}

  last(lifeMs: number): void {
    if (lifeMs === this.lifeMs) return
    this.lifeMs = lifeMs
    this.renewedMs = Number.NEGATIVE_INFINITY
    this.places?.lastFor(lifeMs)
  }

  /** This host is in a session, and has these VIPs. */
  heard(nowMs: number, withVips: readonly Balancer[]): void {
    const { places } = this
    if (places === null || nowMs - this.renewedMs < this.lifeMs / RENEWALS_A_LEASE) return
    this.renewedMs = nowMs
    for (const one of withVips) if (!this.renewing.has(one)) void this.renew(one, places)
  }

  private async renew(one: Balancer, places: VipPlaces): Promise<void> {
    this.renewing.add(one)
    await this.slots
      .hold(() => one.renew(() => places.renew(one.id)))
      .catch((error: unknown) => {
        this.logger.error({ err: error, loadBalancerId: one.id }, 'a VIP could not be renewed: tried again')
      })
    this.renewing.delete(one)
  }
}
