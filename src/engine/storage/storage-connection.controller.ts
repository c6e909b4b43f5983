import { Body, Delete, Get, Headers, Param, Post, Put, Query, Req } from '@nestjs/common'
import { ApiHeader, ApiParam } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import type { Caller } from '../platform/caller.js'
import { type IfMatch, IfMatchHeader } from '../platform/etag.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { accepted } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { ConnectionIdPipe } from './connection-id.pipe.js'
import { ConnectionWaits } from './connection-waits.js'
import {
  StorageConnectionGet,
  StorageConnectionPut,
  StorageConnectionQuery,
  StorageConnectionView,
  StorageFlow,
  StorageFlowView,
  viewStorageConnection,
} from './storage-connection.dto.js'
import { StorageConnections } from './storage-connections.service.js'
import { StorageFlows } from './storage-flows.js'
import { ListedStorageConnectionPage } from './storage-listing.dto.js'
import { StorageListing } from './storage-listing.service.js'

const CONNECTION = {
  name: 'connectionId',
  description: "Any string without '/' of up to 255 characters; a common prefix makes a flow.",
}

@RestController(
  'hosts/:hostId/storage-connections',
  'Storage connections',
  'What each host keeps connected by itself, by id.',
)
export class StorageConnectionController {
  constructor(
    private readonly connections: StorageConnections,
    private readonly listing: StorageListing,
    private readonly waits: ConnectionWaits,
    private readonly flows: StorageFlows,
  ) {}

  @Get()
  @Operation({
    id: 'storageConnections.list',
    allow: { project: 'viewer' },
    summary: "List a host's storage connections",
    description:
      'First what the plane asked for, then, for who may see the plane, what the host has without it: ids of its own programs, and unmanaged connections.',
    reply: [200, ListedStorageConnectionPage],
  })
  async list(@Who() caller: Caller, @IdParam('hostId') hostId: string, @Query() query: StorageConnectionQuery) {
    return this.listing.list(caller, hostId, query)
  }

  @Delete()
  @Operation({
    id: 'storageConnections.deleteFlow',
    allow: { project: 'operator' },
    summary: 'Have a host let go of all ids with a common prefix',
    description:
      'Of those that the caller may let go. However many they are; should the call break off, the same call goes on from there. None of them goes while a guest or a volume is on one of them.',
    reply: [202, StorageFlowView],
    errors: ['in-use'],
  })
  async deleteFlow(@Who() caller: Caller, @IdParam('hostId') hostId: string, @Query() { prefix }: StorageFlow) {
    return this.flows.letGo(caller, hostId, prefix)
  }

  @Get(':connectionId')
  @ApiParam(CONNECTION)
  @Operation({
    id: 'storageConnections.get',
    allow: { project: 'viewer' },
    summary: 'Show a storage connection, at once or when it is up',
    description: 'With `waitFor` the answer comes when that is reached, or after `timeoutMs` with `connected: false`.',
    reply: [200, StorageConnectionView],
    errors: ['too-many-requests', 'unavailable'],
    etag: true,
  })
  async get(
    @Who() caller: Caller,
    @IdParam('hostId') hostId: string,
    @Param('connectionId', ConnectionIdPipe) connectionId: string,
    @Query() { waitFor, timeoutMs }: StorageConnectionGet,
    @Req() request: FastifyRequest,
  ) {
    const wait = { hostId, connectionId, goal: waitFor ?? null, timeoutMs }
    return viewStorageConnection(await this.waits.get(caller, request, wait))
  }

  @Put(':connectionId')
  @ApiParam(CONNECTION)
  @ApiHeader({
    name: 'Prefer',
    required: false,
    description: '`coalesce`: a change to a pending connection replaces what is still queued.',
  })
  @Operation({
    id: 'storageConnections.put',
    allow: { project: 'operator' },
    summary: 'Have a host hold a storage connection and keep it up',
    description:
      'Answers once the id is registered. The same id with the same arguments is a success; other arguments need If-Match.',
    reply: [202, StorageConnectionView],
    requestExample: { uri: 'posix:///srv/disk.img?fstype=ext4', options: { ro: 'true' }, credentials: {} },
    etag: true,
    errors: ['conflict', 'pending', 'id-in-use', 'quota-exceeded', 'unsupported-by-host'],
  })
  async put(
    @Who() caller: Caller,
    @IdParam('hostId') hostId: string,
    @Param('connectionId', ConnectionIdPipe) connectionId: string,
    @Body() body: StorageConnectionPut,
    @IfMatchHeader() ifMatch: IfMatch | null,
    @Headers('prefer') prefer?: string,
  ) {
    const conditions = { ifMatch, coalesce: prefers(prefer, 'coalesce') }
    return accepted(viewStorageConnection(await this.connections.put(caller, hostId, connectionId, body, conditions)))
  }

  @Delete(':connectionId')
  @ApiParam(CONNECTION)
  @Operation({
    id: 'storageConnections.delete',
    allow: { project: 'operator' },
    summary: 'Have a host let go of a storage connection',
    reply: [202, StorageConnectionView],
    errors: ['in-use'],
  })
  async delete(
    @Who() caller: Caller,
    @IdParam('hostId') hostId: string,
    @Param('connectionId', ConnectionIdPipe) connectionId: string,
    @IfMatchHeader() ifMatch: IfMatch | null,
  ) {
    return accepted(viewStorageConnection(await this.connections.delete(caller, hostId, connectionId, ifMatch)))
  }

  @Post(':connectionId/reset')
  @ApiParam(CONNECTION)
  @Operation({
    id: 'storageConnections.reset',
    allow: { project: 'operator' },
    summary: 'Disconnect and connect the target once, now',
    reply: [202, StorageConnectionView],
    errors: ['pending', 'unsupported-by-host'],
  })
  async reset(
    @Who() caller: Caller,
    @IdParam('hostId') hostId: string,
    @Param('connectionId', ConnectionIdPipe) connectionId: string,
  ) {
    return accepted(viewStorageConnection(await this.connections.reset(caller, hostId, connectionId)))
  }
}

/** RFC 7240: a comma-separated list of preferences. */
const prefers = (header: string | undefined, preference: string): boolean =>
  (header ?? '').split(',').some((part) => part.trim().toLowerCase() === preference)
