import { ApiPropertyOptional } from '@nestjs/swagger'
import { Type } from 'class-transformer'
import { IsInt, IsISO8601, IsOptional, Matches, Max, Min } from 'class-validator'
import { Filter, PageQuery } from '../platform/pages.js'
import type { AuditEntry } from './audit-entry.entity.js'
import { writePlace } from './audit-hash.js'
import type { AuditHead } from './audit-heads.js'
import { auditFaults, headStates, type Verified } from './audit-verification.js'

/** By the status of the reply: below 400, below 500, and from there on. */
export const auditOutcomes = ['succeeded', 'refused', 'failed'] as const
export type AuditOutcome = (typeof auditOutcomes)[number]

const PLACE = /^\d{1,15}:[0-9a-f]{64}$/
const place = { pattern: '^\\d{1,15}:[0-9a-f]{64}$' }
const MAX_CHECKED = 100_000

export class AuditQuery extends PageQuery {
  @Filter({ description: 'Rows of these users, by id or by name.' }) user?: string[]
  @Filter({ description: 'Rows of these operations, as this document names them.' }) operation?: string[]
  @Filter({ description: 'Rows that are about one of these, e.g. `host/<id>`.' }) subject?: string[]
  @Filter({ format: 'uuid', description: 'Rows that are about things of these projects.' }) project?: string[]
  @Filter({ enum: auditOutcomes, description: 'How the call was answered: 2xx, 4xx or 5xx.' }) outcome?: AuditOutcome[]
  @Filter({ description: 'Rows of these requests.' }) requestId?: string[]

  @ApiPropertyOptional({ format: 'date-time', description: 'Rows from this time on.' })
  @IsOptional()
  @IsISO8601({ strict: true, strictSeparator: true })
  from?: string

  @ApiPropertyOptional({ format: 'date-time', description: 'Rows from before this time.' })
  @IsOptional()
  @IsISO8601({ strict: true, strictSeparator: true })
  to?: string
}

export class AuditVerifyQuery {
  @ApiPropertyOptional({
    ...place,
    description: 'A head that was told before: what has come to be missing since is found.',
  })
  @IsOptional()
  @Matches(PLACE)
  head?: string

  @ApiPropertyOptional({ ...place, description: '`next` of the answer before. Without it: from the beginning.' })
  @IsOptional()
  @Matches(PLACE)
  from?: string

  @ApiPropertyOptional({
    description: 'How many rows to walk at most.',
    type: 'integer',
    minimum: 1,
    maximum: MAX_CHECKED,
    default: MAX_CHECKED,
  })
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(MAX_CHECKED)
  limit: number = MAX_CHECKED
}

export class AuditEntryView {
  /**
   * Its place in the chain.
   * @example 1042
   */
  seq!: number
  /**
   * Given when it was written, before it had a place.
   * @example 1043
   */
  id!: number
  /** @example 2026-01-31T12:00:00.000Z */
  at!: string
  /** @example 5d2f8a3e-0d7c-4d8e-9f43-0f3f0a1c9b11 */
  requestId!: string | null
  /**
   * Null: nobody had signed in.
   * @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11
   */
  userId!: string | null
  /** @example kim (token ci) */
  userName!: string
  tokenId!: string | null
  /** @example 192.0.2.7 */
  address!: string
  /**
   * Null: the call did not get as far as a route.
   * @example hosts.maintain
   */
  operation!: string | null
  /**
   * Empty for what was no REST call.
   * @example POST
   */
  method!: string
  /** @example /api/v1/hosts/0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11/maintenance */
  path!: string
  /**
   * What it was about, as events name things.
   * @example ["host/0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11"]
   */
  subjects!: string[]
  projectId!: string | null
  /** @example 200 */
  status!: number
  /** Type of the problem that it was answered with. */
  problem!: string | null
  /** `id` of the row that told another outcome of the same call: its change was made, and the answer was this one. */
  corrects!: number | null
  /** @example 2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae */
  previousHash!: string
  /** @example fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9 */
  hash!: string
}

export class AuditHeadView {
  /** @example 1042 */
  seq!: number
  /** @example fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9 */
  hash!: string
  /**
   * Both, as `verify` takes them.
   * @example 1042:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9
   */
  head!: string
  /**
   * Rows that are written and wait for their place.
   * @example 0
   */
  unchained!: number
}

export class AuditFaultView {
  /** A row that was changed, removed or moved; the last ones cut off; all rewritten up to a head; an unknown beginning. */
  kind!: (typeof auditFaults)[number]
  /**
   * The first row that is not as it was.
   * @example 1017
   */
  seq!: number
  /** @example rows 1017 to 1018 are gone */
  message!: string
}

export class AuditVerificationView {
  /** Whether what was walked is as it was written. */
  intact!: boolean
  fault!: AuditFaultView | null
  /**
   * How many rows were walked.
   * @example 1042
   */
  checked!: number
  /**
   * Where the walk began: `0:…` before all rows, or the last row that retention removed.
   * @example 0:0000000000000000000000000000000000000000000000000000000000000000
   */
  from!: string
  /**
   * The last row that is as it was written.
   * @example 1042:fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9
   */
  to!: string
  /** Where to go on with `from`; null at the end of the chain, and after a fault. */
  next!: string | null
  /** What became of the `head` that was asked for: ahead of what was walked, passed before it, or met and equal or not. */
  head!: (typeof headStates)[number] | null
}

export const viewAuditEntry = (entry: AuditEntry): AuditEntryView => ({
  at: entry.at.toISOString(),
  seq: entry.seq,
  id: entry.id,
  requestId: entry.requestId,
  userId: entry.userId,
  userName: entry.userName,
  tokenId: entry.tokenId,
  address: entry.address,
  operation: entry.operation,
  method: entry.method,
  path: entry.path,
  subjects: entry.subjects,
  projectId: entry.projectId,
  status: entry.status,
  problem: entry.problem,
  corrects: entry.corrects,
  previousHash: entry.previousHash,
  hash: entry.hash,
})

export const viewAuditHead = ({ seq, hash, unchained }: AuditHead): AuditHeadView => ({
  seq,
  hash,
  head: writePlace({ seq, hash }),
  unchained,
})

export function viewVerified({ fault, checked, from, to, atEnd, head }: Verified): AuditVerificationView {
  const next = fault || atEnd ? null : writePlace(to)
  return { intact: fault === null, fault, checked, from: writePlace(from), to: writePlace(to), next, head }
}
