import { Get, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { Who } from '../platform/who.js'
import { Balancers } from './balancers.service.js'
import { ExplainQuery, ExplanationView, requestOf, viewExplanation } from './explain.dto.js'
import { explain } from './explain.js'

@RestController('load-balancers', 'Load balancers')
export class ExplainController {
  constructor(private readonly balancers: Balancers) {}

  @Get(':id/explain')
  @Operation({
    id: 'loadBalancers.explain',
    allow: { project: 'viewer' },
    summary: 'Say which policy and pool a request would meet, and why',
    description: 'Read from what is wanted of the load balancer; nothing is sent anywhere.',
    reply: [200, ExplanationView],
  })
  async explain(@Who() caller: Caller, @IdParam() id: string, @Query() query: ExplainQuery) {
    const tree = await this.balancers.require(caller, id)
    return viewExplanation(tree, explain(tree, requestOf(query)))
  }
}
