import { Body, Delete, Get, Post, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { type IfMatch, IfMatchHeader } from '../platform/etag.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { created } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { ImageCreate, ImageQuery, ImageView, viewImage } from './image.dto.js'
import { Images } from './images.service.js'

const EXAMPLE = {
  name: 'debian-12',
  format: 'qcow2',
  connectionId: 'storage:7b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f77',
  files: [{ role: 'disk', path: 'images/debian-12.qcow2' }],
  hasAgent: true,
}

@RestController('images', 'Images', 'What guests are made of: files on a storage connection.')
export class ImageController {
  constructor(private readonly images: Images) {}

  @Get()
  @Operation({
    id: 'images.list',
    allow: { project: 'viewer' },
    summary: 'List images',
    reply: [200, PageOf(ImageView)],
  })
  async list(@Who() caller: Caller, @Query() query: ImageQuery) {
    return viewPage(await this.images.list(caller, query), viewImage)
  }

  @Post()
  @Operation({
    id: 'images.create',
    allow: { project: 'operator' },
    summary: 'Make an image known',
    description: 'Its files are looked at by the host of each guest that is made of it.',
    reply: [201, ImageView],
    requestExample: EXAMPLE,
    etag: true,
    errors: ['name-taken'],
  })
  async create(@Who() caller: Caller, @Body() body: ImageCreate) {
    const image = await this.images.create(caller, body)
    return created(viewImage(image), `/api/v1/images/${image.id}`)
  }

  @Get(':id')
  @Operation({
    id: 'images.get',
    allow: { project: 'viewer' },
    summary: 'Show an image',
    reply: [200, ImageView],
    etag: true,
  })
  async get(@Who() caller: Caller, @IdParam() id: string) {
    return viewImage(await this.images.require(caller, id))
  }

  @Delete(':id')
  @Operation({
    id: 'images.delete',
    allow: { project: 'operator' },
    summary: 'Forget an image that nothing was made of',
    description: 'Its files stay where they are.',
    reply: [204],
    errors: ['in-use'],
  })
  async delete(@Who() caller: Caller, @IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    await this.images.delete(caller, id, ifMatch)
  }
}
