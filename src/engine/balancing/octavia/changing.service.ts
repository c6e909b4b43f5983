import { setTimeout as pause } from 'node:timers/promises'
import { Injectable } from '@nestjs/common'
import type { Caller } from '../../platform/caller.js'
import { Conflict } from '../../platform/errors.js'
import { Balancers } from '../balancers.service.js'
import type { LoadBalancer } from '../load-balancer.entity.js'
import { BalancerMoves } from '../moves/balancer-moves.js'
import type { Edit, Tree } from '../tree.js'

/** Clients do not wait between their calls: what is pending is waited for as long as that, and only then refused. */
const PATIENCE_MS = 2_000
const BREATH_MS = 20

/** Changes as the Octavia API makes them: one at a time, of what is ACTIVE. */
@Injectable()
export class OctaviaChanging {
  constructor(
    private readonly balancers: Balancers,
    private readonly moves: BalancerMoves,
  ) {}

  change(caller: Caller, loadBalancerId: string, edit: Edit): Promise<Tree> {
    return this.patiently(caller, loadBalancerId, () =>
      this.balancers.change(caller, loadBalancerId, edit, { face: 'octavia' }),
    )
  }

  delete(caller: Caller, loadBalancerId: string, cascade: boolean): Promise<LoadBalancer> {
    return this.patiently(caller, loadBalancerId, () =>
      this.balancers.delete(caller, loadBalancerId, { face: 'octavia', cascade }),
    )
  }

  /** To another device where there is one, else made anew on its own. */
  failover(caller: Caller, loadBalancerId: string): Promise<Tree> {
    return this.patiently(caller, loadBalancerId, () =>
      this.moves.failover(caller, loadBalancerId, { face: 'octavia' }),
    )
  }

  /** @throws Conflict in the words that clients know, when its state does not allow it, or not soon */
  async patiently<T>(caller: Caller, loadBalancerId: string, work: () => Promise<T>): Promise<T> {
    const givenUpMs = performance.now() + PATIENCE_MS
    for (;;) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof Conflict) || error.extra.provisioningStatus === undefined) throw error
        const leftMs = givenUpMs - performance.now()
        if (error.type !== 'pending' || leftMs <= 0) throw immutable(loadBalancerId)
        const { loadBalancer } = await this.balancers.require(caller, loadBalancerId)
        await this.balancers.settled(caller, loadBalancerId, loadBalancer.generation, leftMs)
        await pause(BREATH_MS)
      }
    }
  }
}

const immutable = (id: string): Conflict =>
  new Conflict(`Load Balancer ${id} is immutable and cannot be updated.`, 'pending')
