import type { PartOfBalancer } from './balancing-part.js'
import type { Member } from './member.entity.js'
import { type PartNoun, partNouns } from './part-tables.js'
import type { StoredTree, Tree } from './tree.js'

type Row = PartOfBalancer & { readonly loadBalancerId: string }

/** What an edit has made of the rows under a balancer, by noun; their statuses and generation are those of the claim. */
export interface Changes {
  readonly made: Readonly<Record<PartNoun, readonly Row[]>>
  readonly changed: Readonly<Record<PartNoun, readonly Row[]>>
  /** Ids. */
  readonly gone: Readonly<Record<PartNoun, readonly string[]>>
  /** The tree after the edit, with all that. */
  readonly tree: Tree
}

/** Whether an edit has left everything as it was. */
export const isUnchanged = (before: Tree, after: Tree): boolean =>
  before === after ||
  (before.loadBalancer === after.loadBalancer &&
    partNouns.every((noun) => {
      const [rows, others]: [readonly Row[], readonly Row[]] = [before[noun], after[noun]]
      return rows.length === others.length && rows.every((row, i) => row === others[i])
    }))

/** @param generation the one that holds the change */
export function changesBetween(before: Tree, after: Tree, generation: number, now = new Date()): Changes {
  const { id: loadBalancerId, projectId } = before.loadBalancer
  const ofNoun = (noun: PartNoun) => {
    const [rows, others]: [readonly Row[], readonly Row[]] = [before[noun], after[noun]]
    const known = new Map(rows.map((row) => [row.id, row]))
    const kept = new Set(others.map((row) => row.id))
    const stamped = others.map((row) => {
      const old = known.get(row.id)
      if (old === row) return { row, how: 'same' as const }
      if (old) return { row: changed(row, old, generation, now), how: 'changed' as const }
      return { row: made(row, { loadBalancerId, projectId, generation, now }), how: 'made' as const }
    })
    return { stamped, gone: rows.filter((row) => !kept.has(row.id)).map((row) => row.id) }
  }
  const found = byNoun(ofNoun)
  const only = (how: 'made' | 'changed') =>
    byNoun((noun) => found[noun].stamped.filter((one) => one.how === how).map((one) => one.row))
  return {
    made: only('made'),
    changed: only('changed'),
    gone: byNoun((noun) => found[noun].gone),
    // each noun's rows are its own entity's: they came from the tree
    tree: { ...after, ...byNoun((noun) => found[noun].stamped.map((one) => one.row)) } as unknown as Tree,
  }
}

/** Rows by noun are those of its entity: they came from the tree. */
export const newMembers = ({ made }: Pick<Changes, 'made'>): readonly Member[] => made.members as readonly Member[]

/** What is kept of a generation for a way back: what was asked for, and nothing of what became of it. */
export function storedTree(tree: Tree): StoredTree {
  const { name, description, adminStateUp, tags } = tree.loadBalancer
  const parts = byNoun((noun) => (tree[noun] as readonly Row[]).map(kept))
  return { loadBalancer: { name, description, adminStateUp, tags }, ...parts } as unknown as StoredTree
}

function kept(row: Row): object {
  const { provisioningStatus: _p, operatingStatus: _o, generation: _g, createdAt: _c, updatedAt: _u, ...rest } = row
  const { projectId: _project, ...asked } = rest
  return asked
}

function changed(row: Row, old: Row, generation: number, now: Date): Row {
  const provisioningStatus = old.provisioningStatus === 'PENDING_CREATE' ? 'PENDING_CREATE' : 'PENDING_UPDATE'
  return { ...row, provisioningStatus, operatingStatus: old.operatingStatus, generation, updatedAt: now }
}

interface Stamp {
  readonly loadBalancerId: string
  readonly projectId: string
  readonly generation: number
  readonly now: Date
}

const made = (row: Row, { loadBalancerId, projectId, generation, now }: Stamp): Row => ({
  ...row,
  loadBalancerId,
  projectId,
  generation,
  provisioningStatus: 'PENDING_CREATE',
  operatingStatus: 'OFFLINE',
  createdAt: now,
  updatedAt: now,
})

function byNoun<T>(of: (noun: PartNoun) => T): Record<PartNoun, T> {
  return Object.fromEntries(partNouns.map((noun) => [noun, of(noun)])) as Record<PartNoun, T> // every noun is in the table
}
