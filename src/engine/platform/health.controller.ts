import { Controller, Get } from '@nestjs/common'
import { HealthView, ok } from './health.dto.js'
import { Operation, Tag } from './openapi.js'
import { Readiness } from './readiness.js'

@Controller('health')
@Tag('Operations')
export class HealthController {
  constructor(private readonly readiness: Readiness) {}

  @Get('live')
  @Operation({
    id: 'health.live',
    allow: 'anyone',
    limit: 'none',
    summary: 'Tell whether the process answers',
    description: 'A supervisor restarts what does not answer here. It asks nothing of the database.',
    reply: [200, HealthView],
  })
  live(): HealthView {
    return ok
  }

  @Get('ready')
  @Operation({
    id: 'health.ready',
    allow: 'anyone',
    limit: 'none',
    summary: 'Tell whether requests should come here',
    description:
      'Not while the database is away, migrations are under way, or the engine drains: 503 names what is missing.',
    reply: [200, HealthView],
    errors: ['not-ready'],
  })
  async ready(): Promise<HealthView> {
    await this.readiness.require()
    return ok
  }
}
