import type { ListenerIntent } from '../../../../wire/balancing/intent.js'
import { invalid } from './text.js'

/** Longer than anything waits: nginx has no time that never ends. */
const NEVER = '24d'

/** 0 is no limit, as it is to Octavia's devices. */
export const milliseconds = (ms: number): string => (ms === 0 ? NEVER : `${ms}ms`)

const CIDR = /^[0-9A-Fa-f:.]+(?:\/\d{1,3})?$/

/** Who may connect, one address range each. */
export function allowedOf({ id, allowedCidrs }: ListenerIntent): readonly string[] {
  const wrong = allowedCidrs.find((cidr) => !CIDR.test(cidr))
  if (wrong !== undefined) throw invalid(`allowedCidrs of ${id}: ${JSON.stringify(wrong)} is no range of addresses`)
  return allowedCidrs
}
