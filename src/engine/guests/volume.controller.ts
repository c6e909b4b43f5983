import { Body, Delete, Get, Patch, Post, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { type IfMatch, IfMatchHeader } from '../platform/etag.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { accepted } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { VolumeCreate, VolumeQuery, VolumeUpdate, VolumeView, viewVolume } from './volume.dto.js'
import { Volumes } from './volumes.service.js'

const EXAMPLE = { name: 'data', connectionId: 'storage:7b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f77', sizeMiB: 10240 }

@RestController('volumes', 'Volumes', 'Disks of guests, on storage connections.')
export class VolumeController {
  constructor(private readonly volumes: Volumes) {}

  @Get()
  @Operation({
    id: 'volumes.list',
    allow: { project: 'viewer' },
    summary: 'List volumes',
    reply: [200, PageOf(VolumeView)],
  })
  async list(@Who() caller: Caller, @Query() query: VolumeQuery) {
    return viewPage(await this.volumes.list(caller, query), viewVolume)
  }

  @Post()
  @Operation({
    id: 'volumes.create',
    allow: { project: 'operator' },
    summary: 'Make an empty volume',
    reply: [202, VolumeView],
    requestExample: EXAMPLE,
    etag: true,
    errors: ['no-room'],
  })
  async create(@Who() caller: Caller, @Body() body: VolumeCreate) {
    return accepted(viewVolume(await this.volumes.create(caller, body)))
  }

  @Get(':id')
  @Operation({
    id: 'volumes.get',
    allow: { project: 'viewer' },
    summary: 'Show a volume',
    reply: [200, VolumeView],
    etag: true,
  })
  async get(@Who() caller: Caller, @IdParam() id: string) {
    return viewVolume(await this.volumes.require(caller, id))
  }

  @Patch(':id')
  @Operation({
    id: 'volumes.update',
    allow: { project: 'operator' },
    summary: 'Make a volume larger',
    reply: [202, VolumeView],
    requestExample: { sizeMiB: 20480 },
    etag: true,
    errors: ['pending', 'in-use', 'no-room'],
  })
  async update(
    @Who() caller: Caller,
    @IdParam() id: string,
    @Body() { sizeMiB }: VolumeUpdate,
    @IfMatchHeader() ifMatch: IfMatch | null,
  ) {
    return accepted(viewVolume(await this.volumes.grow(caller, id, sizeMiB, ifMatch)))
  }

  @Delete(':id')
  @Operation({
    id: 'volumes.delete',
    allow: { project: 'operator' },
    summary: 'Remove a volume that is no disk of a guest',
    description: 'It is gone once its host has confirmed.',
    reply: [202, VolumeView],
    etag: true,
    errors: ['in-use'],
  })
  async delete(@Who() caller: Caller, @IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    return accepted(viewVolume(await this.volumes.delete(caller, id, ifMatch)))
  }
}
