import { Injectable, type OnModuleInit } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import type { FastifyAdapter } from '@nestjs/platform-fastify'
import { Access } from '../platform/access.js'
import { type AuditedCall, auditCalls, currentCall, type Outcome } from '../platform/audited-call.js'
import { anonymous, type Caller } from '../platform/caller.js'
import { addressOf } from '../platform/client-address.js'
import { Database, type Tx } from '../platform/database.js'
import { currentRequestId } from '../platform/request-id.js'
import { type Decided, insertUnchained } from './audit.queries.js'
import { AuditBacklog } from './audit-backlog.js'
import { type AuditDraft, draftOf } from './audit-drafts.js'
import { AuditWriter } from './audit-writer.js'

/** Something that is no REST call, and that the audit log should have. */
export interface AuditRecord {
  /** `<noun>.<verb>`, as operations are called. */
  readonly operation: string
  readonly who: Pick<Caller, 'userId' | 'name' | 'tokenId'>
  /** Where it came from, `local` on the engine's own machine. */
  readonly address: string
  readonly subjects?: readonly string[]
  readonly projectId?: string | null
  readonly outcome: Outcome
}

/**
 * One row per call that may change something. What it changes and its row are of one transaction; what was refused is
 * written when its reply is decided. Rows have no order yet: the writer chains them.
 */
@Injectable()
export class Audit implements OnModuleInit {
  constructor(
    private readonly database: Database,
    private readonly access: Access,
    private readonly adapterHost: HttpAdapterHost<FastifyAdapter>,
    private readonly backlog: AuditBacklog,
    private readonly writer: AuditWriter,
  ) {}

  onModuleInit(): void {
    this.database.witnessedBy((tx) => this.witness(tx))
    // null: services without REST
    const server = this.adapterHost.httpAdapter?.getInstance()
    if (server) auditCalls(server, (call, outcome) => this.decided(call, outcome))
  }

  /** For what is no REST call: written with the transaction, or not at all. */
  async record(tx: Tx, { who, outcome, ...record }: AuditRecord): Promise<void> {
    const draft: AuditDraft = {
      requestId: currentRequestId(),
      userId: who.userId,
      userName: who.name,
      tokenId: who.tokenId,
      address: record.address,
      operation: record.operation,
      method: '',
      path: '',
      subjects: record.subjects ?? [],
      projectId: record.projectId ?? null,
      ...outcome,
      corrects: null,
    }
    await insertUnchained(tx, [{ ...draft, ageMs: 0 }])
    this.database.afterCommit(tx, () => this.writer.ring())
  }

  /** A login by GET, as a browser comes back from a provider: its row is of the transaction that opens the session. */
  async recordLogin(tx: Tx, call: AuditedCall, outcome: Outcome): Promise<void> {
    await insertUnchained(tx, [{ ...draftOf(call, outcome), ageMs: 0 }])
    this.database.afterCommit(tx, () => this.writer.ring())
  }

  /** As `recordLogin`, where nobody was let in. */
  refusedLogin(call: AuditedCall, outcome: Outcome): void {
    this.backlog.keep(draftOf(call, outcome))
  }

  /** The last statement of the transaction in which a call makes its change; one that only read is none. */
  private async witness(tx: Tx): Promise<void> {
    const call = currentCall()
    const outcome = call?.due
    if (!call || !outcome) return
    const [id] = await insertUnchained(tx, [{ ...draftOf(call, outcome), ageMs: 0 }], 'changed')
    if (id === undefined) return
    this.database.afterCommit(tx, () => this.written(call, outcome, id))
  }

  /**
   * For a statement that is a call's whole change, and writes its row by `recordFrom` itself.
   * @param make is given the draft of the row, if there is to be one; answers with its id, or null when nothing was changed
   */
  async beside(
    subject: string,
    projectId: string,
    make: (draft: Decided | null) => Promise<number | null>,
  ): Promise<void> {
    const call = currentCall()
    const outcome = call?.due
    if (!call || !outcome) return void (await make(null))
    const { request, who, operation, subjects } = call
    const about = { subjects: [...subjects, subject], projectId: call.projectId ?? projectId }
    const id = await make({ ...draftOf({ request, who, operation, ...about }, outcome), ageMs: 0 })
    if (id === null) return
    call.about(subject, projectId)
    this.written(call, outcome, id)
  }

  private written(call: AuditedCall, outcome: Outcome, id: number): void {
    call.written = { id, outcome }
    this.writer.ring()
  }

  /** A change that was answered otherwise than its row says gets a second row, which names the first. */
  private decided(call: AuditedCall, outcome: Outcome): void {
    const { written } = call
    if (call.isRepeat) return
    if (!written) void this.keepRefused(call, outcome)
    else if (written.outcome.status !== outcome.status || written.outcome.problem !== outcome.problem) {
      this.backlog.keep(draftOf(call, outcome, written.id))
    }
  }

  /** What is refused before its route is reached was asked by somebody, too. */
  private async keepRefused(call: AuditedCall, outcome: Outcome): Promise<void> {
    // whose credentials are no good, or who shows too many of them, is nobody: looking would be what the limits forbid
    const isNobody = outcome.status === 401 || outcome.status === 429 || this.backlog.isFlooded(addressOf(call.request))
    if (!call.who) call.by(isNobody ? anonymous : await this.access.callerOf(call.request).catch(() => anonymous))
    this.backlog.keep(draftOf(call, outcome))
  }
}
