import 'reflect-metadata'
import { LoadBalancer } from '../../../src/engine/balancing/load-balancer.entity.js'
import type { Edit, Tree } from '../../../src/engine/balancing/tree.js'

/** An id that is told apart at a glance. */
export const idOf = (number: number): string => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`

/** A balancer with nothing under it. */
export function emptyTree(balancer: Partial<LoadBalancer> = {}): Tree {
  const loadBalancer = Object.assign(new LoadBalancer(), {
    id: idOf(1),
    projectId: idOf(2),
    name: 'web',
    description: '',
    adminStateUp: true,
    tags: [],
    vipAddress: '192.0.2.10',
    provider: 'haproxy',
    generation: 1,
    ...balancer,
  })
  return { loadBalancer, listeners: [], pools: [], members: [], healthMonitors: [], l7Policies: [], l7Rules: [] }
}

export const edited = (tree: Tree, ...edits: readonly Edit[]): Tree => edits.reduce((next, edit) => edit(next), tree)
