/** What we are doing with a resource, as against what is seen of it (its operating status). */
export const provisioningStatuses = [
  'PENDING_CREATE',
  'PENDING_UPDATE',
  'PENDING_DELETE',
  'ACTIVE',
  'ERROR',
  'DELETED',
] as const
export type ProvisioningStatus = (typeof provisioningStatuses)[number]

export type PendingStatus = Extract<ProvisioningStatus, `PENDING_${string}`>
export type RestingStatus = Exclude<ProvisioningStatus, PendingStatus>

/**
 * Which claim is allowed from which status: the one table behind every 409. A delete is never refused (L8, L9); the
 * engine's own reconciliation claims like anybody else.
 */
export const claimableFrom: Record<PendingStatus, readonly ProvisioningStatus[]> = {
  PENDING_CREATE: [],
  PENDING_UPDATE: ['ACTIVE', 'ERROR'],
  PENDING_DELETE: ['ACTIVE', 'ERROR', 'PENDING_CREATE', 'PENDING_UPDATE', 'PENDING_DELETE'],
}

/** Where a claimed row goes when its command has ended. */
export const settledTo: Record<PendingStatus, { readonly success: RestingStatus; readonly failure: RestingStatus }> = {
  PENDING_CREATE: { success: 'ACTIVE', failure: 'ERROR' },
  PENDING_UPDATE: { success: 'ACTIVE', failure: 'ERROR' },
  PENDING_DELETE: { success: 'DELETED', failure: 'ERROR' },
}

export const isPending = (status: ProvisioningStatus): status is PendingStatus => status.startsWith('PENDING_')
