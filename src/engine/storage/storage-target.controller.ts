import { Get, Param, Query } from '@nestjs/common'
import { ApiParam } from '@nestjs/swagger'
import type { Caller } from '../platform/caller.js'
import { Operation, RestController } from '../platform/openapi.js'
import { PageOf } from '../platform/pages.js'
import { Who } from '../platform/who.js'
import {
  BlastRadiusView,
  StorageHoldersView,
  StorageTargetQuery,
  StorageTargetView,
  TargetPageQuery,
} from './storage-target.dto.js'
import { StorageTargets } from './storage-targets.service.js'

const TARGET = { name: 'targetId', description: 'As connections and the list of targets tell it.' }

@RestController(
  'storage-targets',
  'Storage targets',
  'The actual storage behind connections, however many ids and hosts hold it.',
)
export class StorageTargetController {
  constructor(private readonly targets: StorageTargets) {}

  @Get()
  @Operation({
    id: 'storageTargets.list',
    allow: { project: 'viewer' },
    summary: 'List actual targets, over all hosts',
    description:
      'Of connections whose host has answered and, for who sees the plane, of what hosts have of themselves. A target without a server in it is its host’s own.',
    reply: [200, PageOf(StorageTargetView)],
  })
  async list(@Who() caller: Caller, @Query() query: StorageTargetQuery) {
    return this.targets.list(caller, query)
  }

  @Get(':targetId/holders')
  @ApiParam(TARGET)
  @Operation({
    id: 'storageTargets.holders',
    allow: { project: 'viewer' },
    summary: 'Who holds a target, since when, and what blocks its release',
    reply: [200, StorageHoldersView],
  })
  async holders(@Who() caller: Caller, @Param('targetId') targetId: string, @Query() query: TargetPageQuery) {
    return this.targets.holders(caller, targetId, query)
  }

  @Get(':targetId/blast-radius')
  @ApiParam(TARGET)
  @Operation({
    id: 'storageTargets.blastRadius',
    allow: { project: 'viewer' },
    summary: 'Which hosts and connections a broken target strikes',
    reply: [200, BlastRadiusView],
  })
  async blastRadius(@Who() caller: Caller, @Param('targetId') targetId: string, @Query() query: TargetPageQuery) {
    return this.targets.blastRadius(caller, targetId, query)
  }
}
