import { createHash } from 'node:crypto'
import type { AuditEntry } from './audit-entry.entity.js'

/** A place in the chain: a row's number and hash. Written `<seq>:<hash>`. */
export interface AuditPlace {
  readonly seq: number
  readonly hash: string
}

const FORM = /^(\d{1,15}):([0-9a-f]{64})$/

export const writePlace = ({ seq, hash }: AuditPlace): string => `${seq}:${hash}`

/** Null when it is none. */
export function readPlace(text: string): AuditPlace | null {
  const [, seq, hash] = FORM.exec(text) ?? []
  return hash === undefined ? null : { seq: Number(seq), hash }
}

/**
 * SHA-256 of the row and the hash before it, as hex digits. The row is a JSON array in this order, which must never change:
 * whoever has the rows can compute it anew (docs/operations.md).
 */
export function hashOf(entry: Omit<AuditEntry, 'hash'>): string {
  const canonical = JSON.stringify([
    1,
    entry.seq,
    entry.previousHash,
    entry.id,
    entry.at.toISOString(),
    entry.requestId,
    entry.userId,
    entry.userName,
    entry.tokenId,
    entry.address,
    entry.operation,
    entry.method,
    entry.path,
    entry.subjects,
    entry.projectId,
    entry.status,
    entry.problem,
    entry.corrects,
  ])
  return createHash('sha256').update(canonical).digest('hex')
}
