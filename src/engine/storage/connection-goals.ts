import { isPending } from '../platform/provisioning.js'
import type { StorageConnection } from './storage-connection.entity.js'

/** S9. `up`: until it is; `firstError`: or until there is an error to be told, which is trying once. */
export const waitGoals = ['up', 'firstError'] as const
export type WaitGoal = (typeof waitGoals)[number]

export const MAX_WAIT_MS = 60_000

type Seen = Pick<
  StorageConnection,
  'provisioningStatus' | 'operatingStatus' | 'fault' | 'observedFault' | 'generation' | 'observedGeneration'
>

export function isReached(row: Seen, goal: WaitGoal): boolean {
  if (isUp(row)) return true
  return goal === 'firstError' && !isPending(row.provisioningStatus) && (row.fault !== null || isSeenToFail(row))
}

/** What failed before a change says nothing of what was asked for since. */
const isSeenToFail = ({ observedFault, observedGeneration, generation }: Seen): boolean =>
  observedFault !== null && observedGeneration !== null && observedGeneration >= generation

/** As it was asked for last: what is seen while a change is under way is of what was before. */
const isUp = ({ provisioningStatus, operatingStatus }: Seen): boolean =>
  provisioningStatus === 'ACTIVE' && (operatingStatus === 'UP' || operatingStatus === 'DEGRADED')
