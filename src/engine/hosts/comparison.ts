import type { InventoryItem } from '../../wire/session.js'
import type { Intent } from './subject-owners.js'

export interface Evidence {
  readonly subject: string
  readonly generation: number
  readonly state: 'waiting' | 'confirmed' | 'forgotten'
  /** A command for the subject has not ended: what the host holds may change. */
  readonly underWay: boolean
}

/** What follows from intent and fact: every subject is in at most one list. */
export interface Differences {
  /** Missing on the host, older there, or different: sent again with a generation above the one that is held. */
  readonly assert: { subject: string; above: number }[]
  /** A tombstone says that it was meant to go. */
  readonly remove: { subject: string; generation: number }[]
  /** The same on the host, and newer there or in ERROR here. */
  readonly adopt: InventoryItem[]
  /** Newer on the host and different: quarantined, and the row disputed. */
  readonly dispute: InventoryItem[]
  /** Held, and nothing accounts for it. */
  readonly unknown: InventoryItem[]
  /** What was waited for: the host does not hold it any more, and nothing that is under way would bring it there. */
  readonly gone: Evidence[]
  /** Made by the host for itself: only shown. */
  readonly own: InventoryItem[]
}

/**
 * Compares what a host should hold with what it says it holds (architecture, "Intent and fact are compared"). Nothing is
 * removed without a tombstone as evidence, and a thing newer than its tombstone is not what the tombstone was for.
 */
export function compare(
  intents: readonly Intent[],
  held: readonly InventoryItem[],
  tombstones: readonly Evidence[],
  disputed: ReadonlySet<string>,
): Differences {
  const found: Differences = { assert: [], remove: [], adopt: [], dispute: [], unknown: [], gone: [], own: [] }
  const bySubject = new Map(held.map((item) => [item.subject, item]))
  const evidence = new Map(tombstones.map((t) => [t.subject, t]))
  const intended = new Set(intents.map((i) => i.subject))
  for (const intent of intents) {
    if (!intent.underWay) weigh(intent, bySubject.get(intent.subject), disputed.has(intent.subject), found)
  }
  for (const item of held) {
    if (item.origin === 'host') found.own.push(item)
    else if (!intended.has(item.subject)) judge(item, evidence.get(item.subject), found)
  }
  for (const tombstone of tombstones) {
    const { subject, state, underWay } = tombstone
    if (state === 'waiting' && !underWay && !intended.has(subject) && !bySubject.has(subject))
      found.gone.push(tombstone)
  }
  return found
}

/** What was disputed once stays so until somebody says what holds: the next look must not decide it in silence. */
function weigh(intent: Intent, item: InventoryItem | undefined, disputed: boolean, found: Differences): void {
  const { subject, generation, leaving, digest, failed } = intent
  if (leaving) found.remove.push({ subject, generation: Math.max(generation, item?.generation ?? 0) })
  else if (!item || item.generation < generation) found.assert.push({ subject, above: item?.generation ?? 0 })
  else if (item.digest !== digest && (disputed || item.generation > generation)) found.dispute.push(item)
  else if (item.digest !== digest) found.assert.push({ subject, above: item.generation })
  else if (item.generation > generation || failed) found.adopt.push(item)
}

function judge(item: InventoryItem, tombstone: Evidence | undefined, found: Differences): void {
  if (tombstone && item.generation <= tombstone.generation) {
    found.remove.push({ subject: item.subject, generation: tombstone.generation })
  } else found.unknown.push(item)
}
