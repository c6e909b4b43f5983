import { Injectable } from '@nestjs/common'
import type { EventType } from '../events/event-types.js'
import { Events } from '../events/events.service.js'
import type { Tx } from '../platform/database.js'
import { type HostOccurrence, type HostStatus, nextStatus } from './hosts.states.js'

const events: Record<HostStatus, EventType> = {
  Up: 'hosts.host.up',
  NonResponsive: 'hosts.host.lost',
  Down: 'hosts.host.down',
  PreparingForMaintenance: 'hosts.host.preparing',
  Maintenance: 'hosts.host.maintenance',
}

export interface StatusRow {
  readonly id: string
  readonly name: string
  readonly status: HostStatus
  readonly connected: boolean
}

export const hostSubject = (hostId: string): string => `host/${hostId}`

/** Moves a host along its state table, in the caller's transaction, with the event that tells of it. */
@Injectable()
export class HostStatusChange {
  constructor(private readonly events: Events) {}

  /**
   * @param host read under a row lock in `tx`
   * @returns the status that it has afterwards; null when there is no such way
   */
  async apply(tx: Tx, host: StatusRow, occurrence: HostOccurrence, reason: string | null): Promise<HostStatus | null> {
    const next = nextStatus(host.status, occurrence, host.connected)
    if (next === null || next === host.status) return next
    await tx.query(
      'UPDATE hosts SET status = $2, status_reason = $3, status_since = now(), updated_at = now() WHERE id = $1',
      [host.id, next, reason],
    )
    await this.events.append(tx, [
      {
        type: occurrence === 'activate' ? 'hosts.host.activated' : events[next],
        subject: hostSubject(host.id),
        hostId: host.id,
        payload: { name: host.name, from: host.status, to: next, reason },
      },
    ])
    return next
  }
}
