import type { INestApplication } from '@nestjs/common'
import { SwaggerModule } from '@nestjs/swagger'
import { readOpenApiFile } from './openapi-file.js'

export const READER_PATH = '/docs'

/** The reader of the committed document at `/docs`, with its assets from the package: it needs no other network. */
export function serveReader(app: INestApplication): void {
  SwaggerModule.setup(READER_PATH.slice(1), app, readOpenApiFile, {
    raw: false,
    customSiteTitle: 'Keelson API',
    swaggerOptions: { displayOperationId: true, docExpansion: 'none', tryItOutEnabled: false },
  })
}
