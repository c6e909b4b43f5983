import { Controller, Get, Header } from '@nestjs/common'
import { Metrics } from './metrics.js'
import { Operation, Tag } from './openapi.js'

const MEDIA_TYPE = 'text/plain'

@Controller('metrics')
@Tag('Operations', 'Is it alive, is it ready, what is it doing.')
export class MetricsController {
  constructor(private readonly metrics: Metrics) {}

  @Get()
  @Header('Content-Type', `${MEDIA_TYPE}; version=0.0.4; charset=utf-8`)
  @Operation({
    id: 'metrics.get',
    allow: { plane: 'viewer' },
    limit: 'none',
    summary: 'Show measurements, in the text format of Prometheus',
    reply: [200, MEDIA_TYPE],
    example: 'keelson_sessions 3\n',
  })
  get(): Promise<string> {
    return this.metrics.text()
  }
}
