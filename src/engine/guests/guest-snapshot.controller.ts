import { Body, Delete, Get, Post, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { accepted } from '../platform/reply.js'
import { Who } from '../platform/who.js'
import { SnapshotCreate, SnapshotQuery, SnapshotView, viewSnapshot } from './guest-snapshot.dto.js'
import { GuestSnapshots } from './guest-snapshots.service.js'

@RestController(
  'guests/:id/snapshots',
  'Guest snapshots',
  'The disks of guests as they were at one moment: a new guest may begin with copies of them.',
)
export class GuestSnapshotController {
  constructor(private readonly snapshots: GuestSnapshots) {}

  @Get()
  @Operation({
    id: 'guestSnapshots.list',
    allow: { project: 'viewer' },
    summary: 'List the snapshots of a guest',
    reply: [200, PageOf(SnapshotView)],
  })
  async list(@Who() caller: Caller, @IdParam() id: string, @Query() query: SnapshotQuery) {
    return viewPage(await this.snapshots.list(caller, id, query), viewSnapshot)
  }

  @Post()
  @Operation({
    id: 'guestSnapshots.create',
    allow: { project: 'operator' },
    summary: 'Take a snapshot of all disks of a guest',
    reply: [202, SnapshotView],
    requestExample: { name: 'before-upgrade' },
    errors: ['conflict', 'pending', 'name-taken'],
  })
  async create(@Who() caller: Caller, @IdParam() id: string, @Body() body: SnapshotCreate) {
    return accepted(viewSnapshot(await this.snapshots.take(caller, id, body)))
  }

  @Get(':snapshotId')
  @Operation({
    id: 'guestSnapshots.get',
    allow: { project: 'viewer' },
    summary: 'Show a snapshot',
    reply: [200, SnapshotView],
  })
  async get(@Who() caller: Caller, @IdParam() id: string, @IdParam('snapshotId') snapshotId: string) {
    return viewSnapshot(await this.snapshots.require(caller, id, snapshotId))
  }

  @Delete(':snapshotId')
  @Operation({
    id: 'guestSnapshots.delete',
    allow: { project: 'operator' },
    summary: 'Remove a snapshot',
    reply: [202, SnapshotView],
    errors: ['pending', 'in-use'],
  })
  async delete(@Who() caller: Caller, @IdParam() id: string, @IdParam('snapshotId') snapshotId: string) {
    return accepted(viewSnapshot(await this.snapshots.delete(caller, id, snapshotId)))
  }
}
