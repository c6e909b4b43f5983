import { Body, Delete, Get, Patch, Post, Put, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { type IfMatch, IfMatchHeader } from '../platform/etag.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { created } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { StorageCreate, StoragePut, StorageQuery, StorageUpdate } from './storage.dto.js'
import { type ShownStorage, StorageView, viewStorage } from './storage-view.dto.js'
import { Storages } from './storages.service.js'

const EXAMPLE = {
  name: 'images',
  uri: 'posix:///srv/disk.img?fstype=ext4',
  options: { ro: 'true' },
  selector: { labels: { rack: 'a1' } },
}

@RestController(
  'storages',
  'Storages',
  'What the plane keeps connected on every host that matches, present and future.',
)
export class StorageController {
  constructor(private readonly storages: Storages) {}

  @Get()
  @Operation({
    id: 'storages.list',
    allow: { project: 'viewer' },
    summary: 'List storages',
    reply: [200, PageOf(StorageView)],
  })
  async list(@Who() caller: Caller, @Query() query: StorageQuery) {
    return viewPage(await this.storages.list(caller, query), viewStorage)
  }

  @Post()
  @Operation({
    id: 'storages.create',
    allow: { project: 'operator' },
    summary: 'Keep a storage connected on every host that matches',
    description:
      'Answers once it is stored. Each host has a connection of the id `storage:<id>` for it, which counts in the quota of the project.',
    reply: [202, StorageView],
    requestExample: EXAMPLE,
    etag: true,
    errors: ['name-taken'],
  })
  async create(@Who() caller: Caller, @Body() body: StorageCreate) {
    return placed(await this.storages.create(caller, body))
  }

  @Get(':id')
  @Operation({
    id: 'storages.get',
    allow: { project: 'viewer' },
    summary: 'Show a storage, and how it goes on its hosts',
    reply: [200, StorageView],
    etag: true,
  })
  async get(@Who() caller: Caller, @IdParam() id: string) {
    return viewStorage(await this.storages.require(caller, id))
  }

  @Put(':id')
  @Operation({
    id: 'storages.put',
    allow: { project: 'operator' },
    summary: 'Say all of a storage anew',
    reply: [202, StorageView],
    requestExample: EXAMPLE,
    etag: true,
    errors: ['name-taken', 'pending'],
  })
  async put(
    @Who() caller: Caller,
    @IdParam() id: string,
    @Body() body: StoragePut,
    @IfMatchHeader() ifMatch: IfMatch | null,
  ) {
    return placed(await this.storages.put(caller, id, body, ifMatch))
  }

  @Patch(':id')
  @Operation({
    id: 'storages.update',
    allow: { project: 'operator' },
    summary: 'Change a storage: its name, arguments, credentials or selector',
    reply: [202, StorageView],
    requestExample: { selector: { labels: { rack: 'a2' } } },
    etag: true,
    errors: ['name-taken', 'pending'],
  })
  async update(
    @Who() caller: Caller,
    @IdParam() id: string,
    @Body() body: StorageUpdate,
    @IfMatchHeader() ifMatch: IfMatch | null,
  ) {
    return placed(await this.storages.update(caller, id, body, ifMatch))
  }

  @Delete(':id')
  @Operation({
    id: 'storages.delete',
    allow: { project: 'operator' },
    summary: 'Have all hosts let go of a storage; it is gone with the last of them',
    description: 'Refused while a volume or an image is on it.',
    reply: [202, StorageView],
    etag: true,
    errors: ['in-use'],
  })
  async delete(@Who() caller: Caller, @IdParam() id: string, @IfMatchHeader() ifMatch: IfMatch | null) {
    return placed(await this.storages.delete(caller, id, ifMatch))
  }
}

/** Hosts have work to do: `Location` is where it can be seen. */
const placed = (shown: ShownStorage) => created(viewStorage(shown), `/api/v1/storages/${shown.storage.id}`)
