import { Body, Post } from '@nestjs/common'
import type { Caller } from '../../platform/caller.js'
import { type IfMatch, IfMatchHeader } from '../../platform/etag.js'
import { IdParam, Operation, RestController } from '../../platform/openapi.js'
import { accepted } from '../../platform/reply.js'
import { Who } from '../../platform/who.js'
import { Rollbacks } from '../rollbacks.service.js'
import { BalancerMoves } from './balancer-moves.js'
import { RollbackInput, StartedBalancerView, viewStarted } from './move.dto.js'

@RestController('load-balancers', 'Load balancers')
export class MoveController {
  constructor(
    private readonly moves: BalancerMoves,
    private readonly rollbacks: Rollbacks,
  ) {}

  @Post(':id/failover')
  @Operation({
    id: 'loadBalancers.failover',
    allow: { project: 'operator' },
    summary: 'Move a load balancer to another host',
    description:
      'Its present host lets go of it first; one that does not answer is waited for until it has taken the VIP down by itself.',
    reply: [202, StartedBalancerView],
    etag: true,
    errors: ['pending', 'no-room'],
  })
  async failover(@Who() caller: Caller, @IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    return accepted(viewStarted(await this.moves.failover(caller, id, { ifMatch, face: 'native' })))
  }

  @Post(':id/rollback')
  @Operation({
    id: 'loadBalancers.rollback',
    allow: { project: 'operator' },
    summary: 'Go back to what was asked of a load balancer before',
    description:
      'The last generation that was in force before the present one, or the one that is named. It is a change like any other.',
    reply: [202, StartedBalancerView],
    etag: true,
    errors: ['pending', 'no-such-generation'],
  })
  async rollback(
    @Who() caller: Caller,
    @IdParam() id: string,
    @Body() { generation }: RollbackInput,
    @IfMatchHeader() ifMatch: IfMatch | null,
  ) {
    return accepted(viewStarted(await this.rollbacks.rollback(caller, id, generation ?? null, ifMatch)))
  }
}
