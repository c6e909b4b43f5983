import { randomUUID } from 'node:crypto'
import type { LoadBalancer } from './load-balancer.entity.js'
import type { Edit, Tree } from './tree.js'

export const FIRST_GENERATION = 1

export interface NewBalancer {
  readonly projectId?: string | null
  readonly id?: string
  readonly networkId: string
  readonly vipAddress?: string | null
  /** Null: as its flavor says, else the first that some host has. */
  readonly provider?: string | null
  readonly flavorId?: string | null
  readonly availabilityZone?: string | null
  readonly name: string
  readonly description: string
  readonly adminStateUp: boolean
  readonly tags: readonly string[]
  /** What is to stand under it from the beginning. */
  readonly build: Edit
}

type Placed = Pick<LoadBalancer, 'id' | 'projectId' | 'provider' | 'deviceId' | 'hostId' | 'vipAddress'>

/** The row of a new balancer, and nothing under it. */
export function emptyTree(wanted: NewBalancer, placed: Placed): Tree {
  const now = new Date()
  const loadBalancer: LoadBalancer = {
    ...placed,
    name: wanted.name,
    description: wanted.description,
    adminStateUp: wanted.adminStateUp,
    tags: [...wanted.tags],
    provisioningStatus: 'PENDING_CREATE',
    operatingStatus: 'OFFLINE',
    createdAt: now,
    updatedAt: now,
    networkId: wanted.networkId,
    vipPortId: randomUUID(),
    flavorId: wanted.flavorId ?? null,
    availabilityZone: wanted.availabilityZone ?? null,
    placementGeneration: 1,
    movingFromDeviceId: null,
    generation: FIRST_GENERATION,
    goodGeneration: null,
    intentDigest: '',
    commandId: null,
    fault: null,
    faultAt: null,
    observedFault: null,
    observedAt: null,
    observedGeneration: null,
    statistics: {},
  }
  return { loadBalancer, listeners: [], pools: [], members: [], healthMonitors: [], l7Policies: [], l7Rules: [] }
}
