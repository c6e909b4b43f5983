import { Get, Query } from '@nestjs/common'
import { Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import {
  AuditEntryView,
  AuditHeadView,
  AuditQuery,
  AuditVerificationView,
  AuditVerifyQuery,
  viewAuditEntry,
  viewAuditHead,
  viewVerified,
} from './audit.dto.js'
import { AuditHeads } from './audit-heads.js'
import { AuditLog } from './audit-log.js'

@RestController(
  'audit',
  'Audit',
  'Who asked for what, from where, and how it was answered. Each row is chained to the one before.',
)
export class AuditController {
  constructor(
    private readonly log: AuditLog,
    private readonly heads: AuditHeads,
  ) {}

  @Get()
  @Operation({
    id: 'audit.list',
    allow: { plane: 'admin' },
    summary: 'List what was asked of the plane, newest first',
    description: 'A row appears once it has its place in the chain, some moments after its call.',
    reply: [200, PageOf(AuditEntryView)],
  })
  async list(@Query() query: AuditQuery) {
    return viewPage(await this.log.list(query), viewAuditEntry)
  }

  @Get('head')
  @Operation({
    id: 'audit.head',
    allow: { plane: 'admin' },
    summary: 'Show where the chain ends: keep it elsewhere, to verify against later',
    reply: [200, AuditHeadView],
  })
  async head() {
    return viewAuditHead(await this.heads.read())
  }

  @Get('verify')
  @Operation({
    id: 'audit.verify',
    allow: { plane: 'admin' },
    summary: 'Walk the chain, and tell the first row that is not as it was written',
    description:
      'Each answer walks up to `limit` rows; go on with `from=<next>` until `next` is null. A chain that was computed anew, or lost its last rows, is found by a `head` that was kept outside the database.',
    reply: [200, AuditVerificationView],
  })
  async verify(@Query() query: AuditVerifyQuery) {
    return viewVerified(await this.log.verify(query))
  }
}
