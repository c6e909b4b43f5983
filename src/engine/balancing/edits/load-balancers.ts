import type { Edit } from '../tree.js'
import { altered, type Changes, changed, type Described, described } from './rows.js'

export type LoadBalancerChange = Changes<Described>

/** Where it is, and what makes it, stays as it was created. */
export const updateLoadBalancer =
  (input: LoadBalancerChange): Edit =>
  (tree) => ({
    ...tree,
    loadBalancer: altered(tree.loadBalancer, changed<Described>(tree.loadBalancer, input, described)),
  })
