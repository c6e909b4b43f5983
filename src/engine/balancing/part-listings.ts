import type { Listing } from '../platform/listing.js'
import { HealthMonitor } from './health-monitor.entity.js'
import { L7Policy } from './l7-policy.entity.js'
import { L7Rule } from './l7-rule.entity.js'
import { Listener } from './listener.entity.js'
import { Member } from './member.entity.js'
import type { PartNoun } from './part-tables.js'
import { Pool } from './pool.entity.js'
import type { Parts } from './tree.js'

export type RowOf<N extends PartNoun> = Parts[N][number]

const sortable = ['name', 'createdAt', 'updatedAt', 'operatingStatus', 'provisioningStatus'] as const
const filterable = ['projectId', 'name', 'provisioningStatus', 'operatingStatus', 'loadBalancerId'] as const
const defaultSort = 'createdAt'

export const partListings: { readonly [N in PartNoun]: Listing<RowOf<N>> } = {
  listeners: {
    entity: Listener,
    sortable: [...sortable, 'protocol', 'protocolPort'],
    defaultSort,
    filterable: [...filterable, 'protocol', 'defaultPoolId'],
  },
  pools: {
    entity: Pool,
    sortable: [...sortable, 'protocol'],
    defaultSort,
    filterable: [...filterable, 'protocol', 'lbAlgorithm'],
  },
  members: {
    entity: Member,
    sortable: [...sortable, 'address', 'weight'],
    defaultSort,
    filterable: [...filterable, 'address'],
  },
  healthMonitors: {
    entity: HealthMonitor,
    sortable: [...sortable, 'type'],
    defaultSort,
    filterable: [...filterable, 'poolId', 'type'],
  },
  l7Policies: {
    entity: L7Policy,
    sortable: [...sortable, 'position'],
    defaultSort,
    filterable: [...filterable, 'listenerId', 'action'],
  },
  l7Rules: { entity: L7Rule, sortable: [...sortable, 'type'], defaultSort, filterable: [...filterable, 'type'] },
}

/** As a person calls one. */
export const nounOf: Readonly<Record<PartNoun, string>> = {
  listeners: 'listener',
  pools: 'pool',
  members: 'member',
  healthMonitors: 'health monitor',
  l7Policies: 'L7 policy',
  l7Rules: 'L7 rule',
}
