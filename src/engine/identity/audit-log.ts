import { Injectable } from '@nestjs/common'
import { isUUID } from 'class-validator'
import { Brackets, type SelectQueryBuilder } from 'typeorm'
import { Database } from '../platform/database.js'
import type { Listing } from '../platform/listing.js'
import { type Page, page } from '../platform/pages.js'
import { BadInput, coded } from '../platform/validation.js'
import type { AuditOutcome, AuditQuery, AuditVerifyQuery } from './audit.dto.js'
import { AuditEntry } from './audit-entry.entity.js'
import { readPlace } from './audit-hash.js'
import { AuditVerification, type Verified } from './audit-verification.js'

const listing: Listing<AuditEntry> = {
  entity: AuditEntry,
  sortable: ['seq', 'at'],
  defaultSort: '-seq',
  filterable: ['operation', 'requestId'],
  id: 'seq',
}

const statuses: Readonly<Record<AuditOutcome, string>> = {
  succeeded: 'row.status < 400',
  refused: 'row.status BETWEEN 400 AND 499',
  failed: 'row.status >= 500',
}

/** The audit log as it is read. */
@Injectable()
export class AuditLog {
  constructor(
    private readonly database: Database,
    private readonly verification: AuditVerification,
  ) {}

  list(query: AuditQuery): Promise<Page<AuditEntry>> {
    const [from, to] = [instant('from', query.from), instant('to', query.to)]
    return page(this.database.dataSource.manager, listing, query, (rows) => {
      narrow(rows, query)
      if (from) rows.andWhere('row.at >= :from', { from })
      if (to) rows.andWhere('row.at < :to', { to })
    })
  }

  verify({ head, from, limit }: AuditVerifyQuery): Promise<Verified> {
    return this.verification.verify({ from: from ? readPlace(from) : null, head: head ? readPlace(head) : null, limit })
  }
}

function narrow(rows: SelectQueryBuilder<AuditEntry>, { user, subject, project, outcome }: AuditQuery): void {
  if (user) rows.andWhere('(row.userId = ANY(:ids) OR row.userName = ANY(:user))', { user, ids: user.filter(isId) })
  if (subject) rows.andWhere('row.subjects && :subject', { subject })
  if (project) rows.andWhere('row.projectId IN (:...project)', { project })
  if (!outcome) return
  rows.andWhere(
    new Brackets((any) => {
      for (const one of outcome) any.orWhere(statuses[one])
    }),
  )
}

const isId = (text: string): boolean => isUUID(text)

/** ISO 8601 knows more than a clock does: a 25th hour, an offset of days. */
function instant(field: string, text: string | undefined): Date | null {
  if (text === undefined) return null
  const at = new Date(text)
  if (Number.isNaN(at.getTime())) throw new BadInput([coded(field, 'isDateTime', `${field} must be a date and a time`)])
  return at
}
