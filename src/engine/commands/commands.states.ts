export const commandStates = [
  'queued',
  'dispatched',
  'running',
  'succeeded',
  'failed',
  'expired',
  'superseded',
] as const
export type CommandState = (typeof commandStates)[number]

/** The state of a command that has ended. */
export type EndState = Extract<CommandState, 'succeeded' | 'failed' | 'expired' | 'superseded'>

/** Every way a command can go. Only an expired one may still turn: a late success of a level kind heals. */
export const transitions: Record<CommandState, readonly CommandState[]> = {
  queued: ['dispatched', 'expired', 'superseded', 'succeeded', 'failed'],
  dispatched: ['queued', 'running', 'succeeded', 'failed', 'expired', 'superseded'],
  running: ['queued', 'succeeded', 'failed', 'expired'],
  succeeded: [],
  failed: [],
  expired: ['succeeded'],
  superseded: [],
}
