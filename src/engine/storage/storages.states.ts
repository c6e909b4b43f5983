import type { StorageOperatingStatus } from '../../wire/commands.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'
import type { Storage } from './storage.entity.js'

export type Counts<S extends string> = Partial<Record<S, number>>

/** A storage's rows on hosts, and the hosts that have none although they match. */
export interface StorageTotals {
  readonly provisioning: Counts<ProvisioningStatus>
  readonly operating: Counts<StorageOperatingStatus>
  readonly refused: number
}

/** ACTIVE only when every host that matches has it so. */
export function provisioningOf(
  { deleting, generation, placedGeneration }: Pick<Storage, 'deleting' | 'generation' | 'placedGeneration'>,
  { provisioning, refused }: StorageTotals,
): ProvisioningStatus {
  if (deleting) return 'PENDING_DELETE'
  const pending = placedGeneration === 0 || onlyBeingMade(provisioning) ? 'PENDING_CREATE' : 'PENDING_UPDATE'
  if (placedGeneration < generation) return pending
  if (refused > 0 || (provisioning.ERROR ?? 0) > 0) return 'ERROR'
  const underWay = (['PENDING_CREATE', 'PENDING_UPDATE', 'PENDING_DELETE'] as const).some((one) => provisioning[one])
  return underWay ? pending : 'ACTIVE'
}

/** What all hosts see alike; DEGRADED where some are connected and some are not, DOWN where none is. */
export function operatingOf({ operating }: StorageTotals): StorageOperatingStatus {
  const seen = Object.keys(operating) as StorageOperatingStatus[]
  const [only, ...others] = seen
  if (only === undefined) return 'UNKNOWN'
  if (others.length === 0) return only
  return operating.UP || operating.DEGRADED ? 'DEGRADED' : 'DOWN'
}

const onlyBeingMade = (provisioning: Counts<ProvisioningStatus>): boolean =>
  Object.keys(provisioning).length === 1 && provisioning.PENDING_CREATE !== undefined
