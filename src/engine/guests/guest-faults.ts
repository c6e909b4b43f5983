import { type GuestLayer, guestLayers } from '../../wire/guests/terms.js'
import type { Fault } from '../../wire/session.js'
import type { EndedCommand } from '../commands/settlers.js'
import type { MessageInTime } from './guest-messages.queries.js'
import { type GuestStep, stepRules } from './guests.states.js'

const layers: ReadonlySet<string> = new Set(guestLayers)

/** Faults of a message after which it may be sent once more: its mark in the guest sees to that it is done once. */
const repeatable: ReadonlySet<string> = new Set<GuestLayer>([
  'agent-silent',
  'boot-changed',
  'interrupted',
  'port-never-opened',
])

/** Each has a ping of its own; all of them have the time of the first. */
const MAX_ATTEMPTS = 3

export const maySendAgain = (
  { fault }: Pick<EndedCommand, 'fault'>,
  { pings, leftMs }: Pick<MessageInTime, 'pings' | 'leftMs'>,
): boolean => fault !== null && repeatable.has(fault.type) && pings < MAX_ATTEMPTS && (leftMs ?? 0) > 0

/** Why the step failed, by the layer that is to blame. */
export function layerFault(
  step: GuestStep,
  { state, fault, kind }: Pick<EndedCommand, 'state' | 'fault' | 'kind'>,
  hostConnected: boolean,
): Fault {
  if (state === 'expired' && !hostConnected)
    return { type: 'no-host', message: `its host had no session while there was time for ${kind}` }
  if (fault && layers.has(fault.type) && fault.type !== 'expired') return fault
  if (step === 'prepare') return { type: 'expired', message: fault?.message ?? `${kind} ended ${state}` }
  const { layer } = stepRules[step]
  return { type: layer, message: fault ? `${fault.type}: ${fault.message}` : `${kind} ended ${state}` }
}
