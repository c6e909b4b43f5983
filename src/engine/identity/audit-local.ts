import { hostname, userInfo } from 'node:os'
import type { Tx } from '../platform/database.js'
import { insertUnchained } from './audit.queries.js'
import { byPlane } from './audit-drafts.js'

interface LocalChange {
  /** As operations are called. */
  readonly operation: string
  /** What was typed, without secrets. */
  readonly command: string
  readonly subjects?: readonly string[]
}

/**
 * A change by somebody on the engine's own machine, straight at the database: its row is of the same transaction, and waits for
 * an engine that chains it.
 */
export async function recordLocalChange(tx: Tx, { operation, command, subjects }: LocalChange): Promise<void> {
  await insertUnchained(tx, [{ ...byPlane(operation, command, subjects), userName: whoIsHere(), ageMs: 0 }])
}

function whoIsHere(): string {
  return `${accountName()} on ${hostname()}`
}

/** A container may run under a number that has no name. */
function accountName(): string {
  try {
    return userInfo().username
  } catch {
    return `account ${process.getuid?.() ?? 'unknown'}`
  }
}
