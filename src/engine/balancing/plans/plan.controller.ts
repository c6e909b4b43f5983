import { Body, Post } from '@nestjs/common'
import type { Caller } from '../../platform/caller.js'
import { IdParam, Operation, RestController } from '../../platform/openapi.js'
import { Who } from '../../platform/who.js'
import { PlanInput, PlanView } from './plan.dto.js'
import { Plans } from './plans.service.js'

const EXAMPLE = {
  edits: [{ method: 'POST', path: '/api/v1/listeners', body: { protocol: 'HTTP', protocolPort: 8080 } }],
}

@RestController('load-balancers', 'Load balancers')
export class PlanController {
  constructor(private readonly plans: Plans) {}

  @Post(':id/plan')
  @Operation({
    id: 'loadBalancers.plan',
    allow: { project: 'operator' },
    summary: 'Show what a change would come to on the device, and whether it would be taken',
    description: 'Nothing is changed. The driver of the device judges it, within 20 seconds.',
    reply: [200, PlanView],
    requestExample: EXAMPLE,
    // it waits for what it has asked for, which must be committed first
    everyTime: true,
    errors: ['conflict', 'port-taken', 'member-taken', 'not-supported', 'unavailable'],
  })
  async plan(@Who() caller: Caller, @IdParam() id: string, @Body() body: PlanInput) {
    return this.plans.plan(caller, id, body)
  }
}
