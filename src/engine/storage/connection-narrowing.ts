import type { Narrow } from '../platform/pages.js'
import { BadInput, coded } from '../platform/validation.js'
import type { StorageConnectionQuery } from './storage-connection.dto.js'
import type { StorageConnection } from './storage-connection.entity.js'

/** What equality of columns does not say. */
export function narrowedBy(query: StorageConnectionQuery): Narrow<StorageConnection> {
  const { target, prefix, scheme, connected, connectedSince } = query
  const since = instant(connectedSince)
  return (rows) => {
    if (target !== undefined) rows.andWhere('row.target = :target', { target })
    // no pattern: % and _ are characters of ids
    if (prefix !== undefined) rows.andWhere('starts_with(row.connectionId, :prefix)', { prefix })
    if (scheme) rows.andWhere(`lower(split_part(row.uri, ':', 1)) IN (:...scheme)`, { scheme: scheme.map(lower) })
    if (connected) {
      const wanted = connected.map((word) => word === 'true')
      rows.andWhere(`(row.operatingStatus IN ('UP', 'DEGRADED')) IN (:...connected)`, { connected: wanted })
    }
    if (since) rows.andWhere('row.connectedSince >= :since', { since })
  }
}

const lower = (text: string): string => text.toLowerCase()

/** ISO 8601 knows more than a clock does: a 25th hour. */
function instant(text: string | undefined): Date | null {
  if (text === undefined) return null
  const at = new Date(text)
  if (!Number.isNaN(at.getTime())) return at
  throw new BadInput([coded('connectedSince', 'isDateTime', 'connectedSince must be a date and a time')])
}
