export const hostStatuses = ['Up', 'NonResponsive', 'Down', 'PreparingForMaintenance', 'Maintenance'] as const
export type HostStatus = (typeof hostStatuses)[number]

/** What happens to a host: the first three are seen, the others asked for or found. */
export const hostOccurrences = ['opened', 'lost', 'closed', 'maintenance', 'drained', 'activate'] as const
export type HostOccurrence = (typeof hostOccurrences)[number]

/**
 * Where a host goes. What is missing is refused (for what is asked for) or changes nothing (for what is seen). A silent
 * host stays what it was in maintenance: the operator's intent outlives a session.
 */
export const hostTransitions: Record<HostStatus, Partial<Record<HostOccurrence, HostStatus>>> = {
  Up: { opened: 'Up', lost: 'NonResponsive', closed: 'Down', maintenance: 'PreparingForMaintenance' },
  NonResponsive: { opened: 'Up', closed: 'Down', maintenance: 'PreparingForMaintenance' },
  Down: { opened: 'Up', maintenance: 'PreparingForMaintenance' },
  PreparingForMaintenance: { drained: 'Maintenance', activate: 'Up' },
  Maintenance: { activate: 'Up' },
}

/** The status after an occurrence; null where there is no such way. A host without a session activates to Down. */
export function nextStatus(status: HostStatus, occurrence: HostOccurrence, connected: boolean): HostStatus | null {
  const next = hostTransitions[status][occurrence] ?? null
  return occurrence === 'activate' && next === 'Up' && !connected ? 'Down' : next
}

export type HostAction = 'maintenance' | 'activate' | 'delete'

/** What an operator may ask of a host in this state: views carry it, so that no page repeats the rule. */
export function hostActions(host: { status: HostStatus; connected: boolean }): HostAction[] {
  const actions: HostAction[] = []
  if (hostTransitions[host.status].maintenance) actions.push('maintenance')
  if (hostTransitions[host.status].activate) actions.push('activate')
  if (!host.connected) actions.push('delete')
  return actions
}
