import { createHash } from 'node:crypto'

/**
 * Hash of an intent, equal on both sides of the wire whatever the order of its keys: 32 hex digits of SHA-256 over the
 * canonical JSON. It tells whether a host's newer generation says the same as the database's older one.
 */
export function digestOf(intent: object): string {
  return createHash('sha256').update(canonical(intent)).digest('hex').slice(0, 32)
}

function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, v]) => v !== undefined)
    entries.sort(([a], [b]) => (a < b ? -1 : 1))
    return `{${entries.map(([k, v]) => `${JSON.stringify(k)}:${canonical(v)}`).join(',')}}`
  }
  return JSON.stringify(value) ?? 'null'
}
