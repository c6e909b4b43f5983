import type { CommandKind } from '../../wire/commands.js'
import type { GuestLayer, GuestPower, GuestStatus } from '../../wire/guests/terms.js'
import { isPending, type ProvisioningStatus } from '../platform/provisioning.js'

/** What is under way, in the order in which a guest is made. `power`, `reset` and `restart` are of one that is there; `remove` of all. */
export const guestSteps = [
  'storage',
  'image',
  'volumes',
  'seed',
  'start',
  'ping',
  'prepare',
  'power',
  'reset',
  'restart',
  'clear',
  'remove',
] as const
export type GuestStep = (typeof guestSteps)[number]

interface StepRule {
  /** What its host is asked; null: the plane waits for what is seen. */
  readonly kind: CommandKind | null
  /** What comes after it; null: the guest is ACTIVE, or gone. Steps that there is nothing to do for are passed over. */
  readonly next: GuestStep | null
  /** Blamed when it ends without a fault of its own that names a layer. */
  readonly layer: GuestLayer
}

/** `clear`: a rebuild lets go of what there was, and begins anew. */
export const stepRules: Readonly<Record<GuestStep, StepRule>> = {
  storage: { kind: null, next: 'image', layer: 'storage-not-up' },
  image: { kind: 'guests.ensureImage', next: 'volumes', layer: 'image-bad' },
  volumes: { kind: 'guests.ensureVolume', next: 'seed', layer: 'volume-failed' },
  seed: { kind: 'guests.ensureSeed', next: 'start', layer: 'seed-failed' },
  start: { kind: 'guests.apply', next: 'ping', layer: 'vm-not-started' },
  ping: { kind: 'guests.ping', next: 'prepare', layer: 'agent-silent' },
  prepare: { kind: 'guests.message', next: null, layer: 'prepare-failed' },
  power: { kind: 'guests.apply', next: null, layer: 'vm-not-started' },
  reset: { kind: 'guests.reset', next: null, layer: 'vm-not-started' },
  restart: { kind: 'guests.reset', next: null, layer: 'vm-not-started' },
  clear: { kind: 'guests.remove', next: 'storage', layer: 'vm-not-started' },
  remove: { kind: 'guests.remove', next: null, layer: 'vm-not-started' },
}

export const guestActions = [
  'start',
  'stop',
  'pause',
  'resume',
  'reset',
  'restart',
  'run',
  'snapshot',
  'update',
  'attach',
  'rebuild',
  'delete',
] as const
export type GuestAction = (typeof guestActions)[number]

interface GuestState {
  readonly provisioningStatus: ProvisioningStatus
  readonly power: GuestPower
  readonly operatingStatus: GuestStatus
}

/** By how it is wanted to be, while nothing is under way. What has ended by itself may be started, stopped and reset. */
const byPower: Readonly<Record<GuestPower, readonly GuestAction[]>> = {
  RUNNING: ['stop', 'pause', 'reset', 'restart', 'run', 'snapshot', 'update'],
  PAUSED: ['stop', 'resume', 'reset', 'snapshot', 'update'],
  STOPPED: ['start', 'snapshot', 'update', 'attach'],
}

/** What may be asked of a guest now: the one table behind every 409 of its actions. A rebuild and a delete always may (L9). */
export function allowedActions({ provisioningStatus, power, operatingStatus }: GuestState): GuestAction[] {
  if (provisioningStatus === 'PENDING_DELETE' || provisioningStatus === 'DELETED') return ['delete']
  if (isPending(provisioningStatus) || provisioningStatus === 'ERROR') return ['rebuild', 'delete']
  const ended = power === 'RUNNING' && (operatingStatus === 'CRASHED' || operatingStatus === 'STOPPED')
  return [...(ended ? (['start'] as const) : []), ...byPower[power], 'rebuild', 'delete']
}

/** How far a message has come. `waiting`: for a pong; the ledger shows the rest from its command. */
export const messageStates = ['waiting', 'sent', 'succeeded', 'failed', 'expired', 'superseded'] as const
export type MessageState = (typeof messageStates)[number]

/** As the ledger shows it. */
export const deliveryStates = ['queued', 'delivered', 'running', 'succeeded', 'failed', 'expired'] as const
export type DeliveryState = (typeof deliveryStates)[number]

/** Of one that waits for a command which nothing is heard of any more. */
export const GUEST_STEP_ENDED = {
  type: 'unsettled',
  message: 'its command has ended without taking it on: rebuild it, or ask for it again',
} as const
