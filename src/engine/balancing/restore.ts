import { isDeepStrictEqual } from 'node:util'
import type { PartOfBalancer } from './balancing-part.js'
import type { Edit, StoredTree, Tree } from './tree.js'

type Kept = { readonly id: string }

/**
 * Back to what was asked for once. What is as it was then stays the row that it is; what has gone since is made anew under its old
 * id; what came since goes.
 */
export const restore =
  (stored: StoredTree): Edit =>
  (tree) => ({
    loadBalancer: like(tree.loadBalancer, stored.loadBalancer),
    listeners: restored(tree, tree.listeners, stored.listeners),
    pools: restored(tree, tree.pools, stored.pools),
    members: restored(tree, tree.members, stored.members),
    healthMonitors: restored(tree, tree.healthMonitors, stored.healthMonitors),
    l7Policies: restored(tree, tree.l7Policies, stored.l7Policies),
    l7Rules: restored(tree, tree.l7Rules, stored.l7Rules),
  })

function restored<R extends PartOfBalancer>(tree: Tree, rows: readonly R[], kept: readonly Kept[]): readonly R[] {
  const known = new Map(rows.map((row) => [row.id, row]))
  return kept.map((one) => {
    const row = known.get(one.id)
    // what is kept of a row is all of it but what `newRow` adds
    return row ? like(row, one as Partial<R>) : ({ ...one, ...newRow(tree) } as unknown as R)
  })
}

/** The row itself where nothing differs: it then counts as unchanged. */
function like<R extends object>(row: R, kept: Partial<R>): R {
  const differs = Object.entries(kept).some(([name, value]) => !isDeepStrictEqual(row[name as keyof R], value))
  return differs ? { ...row, ...kept } : row
}

/** Statuses and generation are the workflow's. */
function newRow({ loadBalancer }: Tree) {
  const now = new Date()
  return {
    projectId: loadBalancer.projectId,
    provisioningStatus: 'PENDING_CREATE',
    operatingStatus: 'OFFLINE',
    generation: loadBalancer.generation,
    createdAt: now,
    updatedAt: now,
  } as const
}
