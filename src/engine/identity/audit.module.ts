import { Module, type OnModuleInit } from '@nestjs/common'
import { Metrics } from '../platform/metrics.js'
import { Schedules } from '../platform/schedules.js'
import { AuditController } from './audit.controller.js'
import { Audit } from './audit.service.js'
import { AuditBacklog } from './audit-backlog.js'
import { AuditChain } from './audit-chain.js'
import { AuditHeads } from './audit-heads.js'
import { AuditLog } from './audit-log.js'
import { AuditRetention } from './audit-retention.js'
import { AuditVerification } from './audit-verification.js'
import { AuditWriter } from './audit-writer.js'

@Module({
  controllers: [AuditController],
  providers: [Audit, AuditBacklog, AuditChain, AuditHeads, AuditLog, AuditRetention, AuditVerification, AuditWriter],
  exports: [Audit, AuditHeads],
})
export class AuditModule implements OnModuleInit {
  constructor(
    private readonly schedules: Schedules,
    private readonly metrics: Metrics,
    private readonly heads: AuditHeads,
    private readonly retention: AuditRetention,
    private readonly backlog: AuditBacklog,
  ) {}

  onModuleInit(): void {
    this.schedules.register({
      name: 'audit.retention',
      everyMs: 600_000,
      meaning: 'Removes rows of the audit log that are older than audit.retentionMs, and notes there that it did.',
      run: () => this.retention.removeOld(),
    })
    this.schedules.register({
      name: 'audit.head',
      everyMs: 60_000,
      meaning: "Prints the head of the audit log's chain where it has moved.",
      run: () => this.heads.print(),
    })
    this.measure()
  }

  private measure(): void {
    this.metrics.gauge({
      name: 'keelson_audit_head_seq',
      help: 'Number of the last row of the audit log that has its place in the chain',
      collect: async (gauge) => gauge.set((await this.heads.read()).seq),
    })
    this.metrics.gauge({
      name: 'keelson_audit_unchained',
      help: 'Rows of the audit log that wait for their place in the chain',
      collect: async (gauge) => gauge.set((await this.heads.read()).unchained),
    })
    this.metrics.gauge({
      name: 'keelson_audit_lost',
      help: 'Refused calls that this replica could not keep for the audit log, since it started',
      collect: (gauge) => gauge.set(this.backlog.lost),
    })
  }
}
