import { Controller, Get } from '@nestjs/common'
import { type OpenAPIObject } from '@nestjs/swagger'
import { Operation, Tag } from './openapi.js'
import { readOpenApiFile } from './openapi-file.js'

@Controller('openapi.json')
@Tag('Operations')
export class OpenApiController {
  private document: OpenAPIObject | undefined

  @Get()
  @Operation({
    id: 'openapi.get',
    allow: 'anyone',
    summary: 'Show this document',
    reply: [200, 'application/json'],
    example: { openapi: '3.1.0', info: { title: 'Keelson' }, paths: {} },
  })
  get(): OpenAPIObject {
    this.document ??= readOpenApiFile()
    return this.document
  }
}
